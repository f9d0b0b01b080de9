package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made is a results file made up for a test. Its figures are nobody's.
type made struct {
	file, date, goes, cpu, commit string
	speed                         float64 // of our rows
	passes                        int
}

// story is four runs on one machine, in which ours gets 25 % faster and then
// 10 % slower, and one on another machine in between.
var story = []made{
	{"2026-01-05-made-up-1-go1.26.1.txt", "2026-01-05T10:00:00Z", "go1.26.1", "Made Up 1", "aaaaaaa1", 1, 10},
	{"2026-02-05-made-up-1-go1.26.1.txt", "2026-02-05T10:00:00Z", "go1.26.1", "Made Up 1", "bbbbbbb2", 1.25, 10},
	{"2026-02-06-made-up-2-go1.26.1.txt", "2026-02-06T10:00:00Z", "go1.26.1", "Made Up 2", "bbbbbbb2", 0.7, 3},
	{"2026-03-05-made-up-1-go1.26.2.txt", "2026-03-05T10:00:00Z", "go1.26.2", "Made Up 1", "ccccccc3", 1.25, 10},
	{"2026-04-05-made-up-1-go1.26.2.txt", "2026-04-05T10:00:00Z", "go1.26.2", "Made Up 1", "ddddddd4", 1.12, 10},
}

// years is a run every two weeks, on one machine, ever faster.
func years() []made {
	day := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	var runs []made
	for i := range 30 {
		goes := fmt.Sprintf("go1.%d.1", 26+i/12)
		runs = append(runs, made{
			day.Format(time.DateOnly) + "-made-up-1-" + goes + ".txt", day.Format(time.RFC3339), goes, "Made Up 1",
			fmt.Sprintf("%07x1", i), 1 + float64(i*i)/100, 6,
		})
		day = day.AddDate(0, 0, 14)
	}
	return runs
}

// madeRows are a benchmark of each shape: cases and peers, one case, a variant
// and an extra unit, and no peers at all.
var madeRows = []struct {
	name          string
	ns            float64
	size          float64 // 0: no throughput
	extra         string
	bytes, allocs int
}{
	{"Checksum/impl=format/size=1024", 20, 1024, "", 0, 0},
	{"Checksum/impl=naive/size=1024", 340, 1024, "", 0, 0},
	{"Checksum/impl=copy/size=1024", 14.5, 1024, "", 0, 0},
	{"Checksum/impl=format/size=65535", 1278, 65535, "", 0, 0},
	{"Checksum/impl=naive/size=65535", 19000, 65535, "", 0, 0},
	{"Checksum/impl=copy/size=65535", 1260, 65535, "", 0, 0},
	{"Header/impl=format", 2.4, 17, "", 0, 0},
	{"Header/impl=binary.Read", 126, 17, "", 72, 2},
	{"Walk/impl=format/size=65535", 46000, 65535, "Mframes/s", 0, 0},
	{"Walk/impl=format-iter/size=65535", 48000, 65535, "Mframes/s", 0, 0},
	{"Walk/impl=gopacket/size=65535", 138000, 65535, "Mframes/s", 0, 0},
	{"Render/impl=text/args=1", 150, 0, "records/s", 16, 1},
	{"Render/impl=text/args=8", 900, 0, "records/s", 64, 1},
}

// text writes the file as bench/record does.
func (m made) text() string {
	rng := rand.New(rand.NewPCG(uint64(len(m.commit)), uint64(m.speed*1000)))
	var b strings.Builder
	fmt.Fprintf(&b, "date: %s\ncommit: %s\ncommitted: %s\nsubject: bench: made up <for> \"tests\"\n", m.date, m.commit, m.date)
	fmt.Fprintf(&b, "go: %s\ncpu: %s\ncores: 4\n", m.goes, m.cpu)
	fmt.Fprintf(&b, "command: go run ./bench/record -count %d\ngoos: linux\ngoarch: amd64\n", m.passes)
	for pass := range m.passes {
		fmt.Fprintf(&b, "\npass: %d\nload: 0.%d0\n", pass+1, pass)
		for _, row := range madeRows {
			ns := row.ns * (1 + 0.02*rng.NormFloat64())
			if strings.Contains(row.name, "impl=format") || strings.Contains(row.name, "impl=text") {
				ns /= m.speed
			}
			fmt.Fprintf(&b, "Benchmark%s-4 1000 %.4g ns/op", row.name, ns)
			if row.size > 0 {
				fmt.Fprintf(&b, " %.2f MB/s", row.size/ns*1000)
			}
			if row.extra != "" {
				fmt.Fprintf(&b, " %.2f %s", 1e5/ns, row.extra)
			}
			fmt.Fprintf(&b, " %d B/op %d allocs/op\n", row.bytes, row.allocs)
		}
	}

	return b.String()
}

// write makes a directory of results.
func write(t *testing.T, files ...made) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, m := range files {
		if err := os.WriteFile(filepath.Join(dir, m.file), []byte(m.text()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
