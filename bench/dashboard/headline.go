package main

import (
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// headline is a row of the table in README.md: what is done, by which row of ours, and
// beside whom.
type headline struct{ what, bench, ours, peer, where string }

// headlines are the rows that stand for the rest: reading, rendering, sending, and one
// beside which we lose.
var headlines = []headline{
	{"read a log of 64 KiB down to its arguments, beside gopacket", "Walk", "format", "gopacket", "size=65535"},
	{"decode a file of logs to lines of text, beside the same with fmt", "Render", "format", "fmt", "from=file/to=lines"},
	{"publish 1 KiB and have it acknowledged, beside a bare loop over a socket", "Publish", "mqttv5", "raw", "size=1024"},
	{"load the strings of a firmware, beside a map made with debug/elf", "Load", "dict", "debug-elf", "size=2500000"},
}

// headlineTable writes the short table, with a link to the rest.
func headlineTable(run *results.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| to | here | there | times as fast |\n|---|---:|---:|---:|\n")
	for _, h := range headlines {
		ours, peer := run.Find(h.bench, h.ours, h.where), run.Find(h.bench, h.peer, h.where)
		if ours == nil || peer == nil {
			fmt.Fprintf(&b, "| %s | not in this run | | |\n", h.what)
			continue
		}
		unit := speedUnit([]*results.Row{ours, peer})
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", h.what,
			quantity(results.Summarize(speed(ours, unit)).Center, unit), quantity(results.Summarize(speed(peer, unit)).Center, unit),
			ratio(advantage(ours, peer).Center))
	}
	fmt.Fprintf(&b, "\n%s, %d cores, %s, %s, %s; medians of %d passes. All rows, those we lose as well, and how they are taken:\n[bench/README.md](bench/README.md#numbers).\n",
		run.CPU, run.Cores, run.System, run.Go, run.Date.Format(time.DateOnly), run.Passes)
	return b.String()
}

// tables are the documents that have figures, each with what writes its part.
var tables = []struct {
	file  string
	write func(*results.Run) string
}{
	{"README.md", headlineTable},
	{"bench/README.md", markdown},
}

// writeTables fills the tables of all documents, or of the one given, with all rows.
func writeTables(stdout io.Writer, dir, output string) error {
	if output != "" {
		return markdownCommand(stdout, dir, output, markdown)
	}
	for _, t := range tables {
		if err := markdownCommand(stdout, dir, t.file, t.write); err != nil {
			return err
		}
	}
	return nil
}

// checkTables fails unless filling the tables would change nothing.
func checkTables(dir, file string) error {
	if file != "" {
		return checkCommand(dir, file, markdown)
	}
	for _, t := range tables {
		if err := checkCommand(dir, t.file, t.write); err != nil {
			return err
		}
	}
	return nil
}

// stale says that a document has other figures than the newest run.
func stale(file, dir string, newest *results.Run) error {
	return fmt.Errorf("%s: the table is not that of the newest results, %s: run \"go run ./bench/dashboard -format=md\"",
		file, path.Join(dir, newest.File))
}
