#!/bin/sh
# Runs the benchmarks of another commit and of this tree in turns, and compares them:
#
#	bench/compare.sh REVISION [REGEXP] [PASSES] [BENCHTIME]
#
# One pass is both, in new processes, and who goes first changes with each pass, so
# that a neighbour who is busy for a while slows down both sides. The other commit is
# built in a folder of its own that is removed at the end. The samples are in
# build/compare-old.txt and -new.txt; rows that only one side has are listed too.
set -eu

if [ $# -lt 1 ]; then
	sed -n 's/^#	/usage: /p' "$0" >&2
	exit 2
fi
base=$(git rev-parse --verify --quiet "$1^{commit}") || { echo "compare: no commit $1" >&2; exit 2; }
bench=${2:-'^Benchmark(Publish|Outbox|Ingest|Walk|Checksum|Header|Render)$'}
passes=${3:-10}
benchtime=${4:-300ms}

cd "$(git rev-parse --show-toplevel)"
top=$PWD
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
trap 'exit 130' INT TERM
mkdir -p build
: >build/compare-old.txt
: >build/compare-new.txt

git archive "$base" | tar -x -C "$old"
(cd "$old" && go test -c -o "$old/old.test" ./bench)
go test -c -o "$old/new.test" ./bench

# side NAME FOLDER: one pass of one side, from its own folder, where its data is.
side() {
	(cd "$2/bench" && "$old/$1.test" -test.run '^$' -test.bench "$bench" -test.benchmem -test.benchtime "$benchtime" -test.shuffle "$pass") \
		>>"$top/build/compare-$1.txt" || { echo "compare: pass $pass of the $1 side failed; see build/compare-$1.txt" >&2; exit 1; }
}

pass=1
while [ "$pass" -le "$passes" ]; do
	if [ $((pass % 2)) -eq 1 ]; then
		side old "$old"
		side new "$top"
	else
		side new "$top"
		side old "$old"
	fi
	echo "pass $pass of $passes" >&2
	pass=$((pass + 1))
done
if ! grep -q ^Benchmark build/compare-new.txt; then
	echo "compare: no benchmark matches $bench" >&2
	exit 1
fi
go tool benchstat old=build/compare-old.txt new=build/compare-new.txt
