// Command record runs the benchmarks and keeps every figure with all that is
// needed to judge it: commit, date, Go version, processor, and the load of the
// machine before each pass.
//
//	go run ./bench/record [-count 10] [-benchtime 300ms] [-bench .] [-skip REGEXP] [-o FILE]
//
// It runs the whole suite -count times, each time in a new process and in
// another order of benchmarks, instead of each benchmark -count times in a row.
// So a neighbour that is busy for half a minute spoils one sample of every row,
// which the median ignores, and not all samples of one row, which would look
// like a result. New processes also average over memory layout, which alone can
// be worth some percent.
//
// Without -o the file is bench/results/DATE-CPU-GOVERSION.txt, with -2, -3 and so on
// behind it when the day has one already, and the tree must be that of the commit;
// with -o it may differ, and the file says so.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

const usage = "usage: go run ./bench/record [-count N] [-benchtime D] [-bench REGEXP] [-skip REGEXP] [-o FILE], from the top of the module"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, usage)
		flags.PrintDefaults()
	}
	s := suite{dir: "bench", results: "bench/results", log: stderr, now: time.Now}
	flags.IntVar(&s.count, "count", 10, "passes over the whole suite")
	flags.StringVar(&s.benchtime, "benchtime", "300ms", "how long to run each benchmark in a pass")
	flags.StringVar(&s.bench, "bench", ".", "run only benchmarks that match the regular expression")
	flags.StringVar(&s.skip, "skip", "", "leave out benchmarks that match the regular expression")
	flags.StringVar(&s.output, "o", "", "write to `FILE` (default bench/results/DATE-CPU-GOVERSION.txt, or -2.txt and so on)")
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 || s.count < 1 {
		flags.Usage()
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	path, err := s.record(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "record:", err)
		return 1
	}
	fmt.Fprintln(stderr, "record: wrote", path)
	return 0
}
