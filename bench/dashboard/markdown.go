package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// The table of a document stands between these lines.
const (
	markBegin = "<!-- bench:begin -->"
	markEnd   = "<!-- bench:end -->"
)

// markdownCommand fills the table of a document with what write makes of the newest run.
func markdownCommand(stdout io.Writer, dir, output string, write func(*results.Run) string) error {
	runs, err := results.Load(dir)
	if err != nil {
		return err
	}
	table := write(runs[len(runs)-1])
	if output == "-" {
		return writeOutput(stdout, output, []byte(table))
	}
	old, err := os.ReadFile(output)
	if err != nil {
		return err
	}
	text, err := fill(old, table)
	if err != nil {
		return fmt.Errorf("%s: %w", output, err)
	}
	return writeOutput(stdout, output, text)
}

// checkCommand fails unless filling the table would change nothing.
func checkCommand(dir, file string, write func(*results.Run) string) error {
	runs, err := results.Load(dir)
	if err != nil {
		return err
	}
	newest := runs[len(runs)-1]
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := fill(old, write(newest))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if !bytes.Equal(old, text) {
		return stale(file, dir, newest)
	}
	return nil
}

var errMarks = errors.New("wants one line \"" + markBegin + "\" and one line \"" + markEnd + "\" after it")

// fill puts the table between the marks.
func fill(text []byte, table string) ([]byte, error) {
	before, rest, ok := bytes.Cut(text, []byte(markBegin+"\n"))
	if !ok {
		return nil, errMarks
	}
	_, after, ok := bytes.Cut(rest, []byte(markEnd+"\n"))
	if !ok || bytes.Contains(after, []byte(markBegin)) || bytes.Contains(after, []byte(markEnd)) {
		return nil, errMarks
	}
	return slices.Concat(before, []byte(markBegin+"\n"+table+markEnd+"\n"), after), nil
}

// markdown writes the newest figures: a line on where they are from, then a
// table for each benchmark. Each case is a row and each implementation a column,
// with how many times as fast ours is; those we lose stay in.
func markdown(run *results.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s, %s, %s, commit %s; medians of %d passes of `%s`",
		run.CPU, run.Cores, run.System, run.Go, run.Date.Format(time.DateOnly), run.ShortCommit(), run.Passes, run.Command)
	if len(run.Loads) > 0 {
		fmt.Fprintf(&b, "; %s", loads(run))
	}
	b.WriteString(".\nIn brackets: how many times as fast the bold one is, below 1 where it is slower.\n")
	for _, name := range benchNames([]*results.Run{run}) {
		markdownBench(&b, run, name)
	}
	return b.String()
}

// loads tells how busy the machine was.
func loads(run *results.Run) string {
	low, high := slices.Min(run.Loads), slices.Max(run.Loads)
	return fmt.Sprintf("load average before the passes %.1f to %.1f", low, high)
}

// markdownBench writes one benchmark as a table.
func markdownBench(b *strings.Builder, run *results.Run, name string) {
	fmt.Fprintf(b, "\n%s\n\n", strings.TrimSpace("**"+name+".** "+about[name]))
	var impls, order []string
	var all []*results.Row
	for _, row := range run.Rows {
		if row.Bench != name {
			continue
		}
		all = append(all, row)
		if !slices.Contains(impls, row.Impl) {
			impls = append(impls, row.Impl)
		}
		if !slices.Contains(order, row.Case) {
			order = append(order, row.Case)
		}
	}

	unit := speedUnit(all)
	b.WriteString("| |")
	for _, impl := range impls {
		fmt.Fprintf(b, " %s |", orDefault(impl, "speed"))
	}

	b.WriteString("\n|---|" + strings.Repeat("---:|", len(impls)) + "\n")
	for _, where := range order {
		rows := slices.DeleteFunc(slices.Clone(all), func(r *results.Row) bool { return r.Case != where })
		fmt.Fprintf(b, "| %s |", words(where))
		for _, impl := range impls {
			i := slices.IndexFunc(rows, func(r *results.Row) bool { return r.Impl == impl })
			if i < 0 {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(b, " %s |", markdownCell(rows[i], reference(rows), unit))
		}
		b.WriteString("\n")
	}
}

// markdownCell has the speed, the ratio beside a peer, and what is allocated,
// if anything is.
func markdownCell(row, ref *results.Row, unit string) string {
	text := quantity(results.Summarize(speed(row, unit)).Center, unit)
	if unit == unitRate { // the time of one says the same and more
		text = quantity(results.Summarize(row.Samples[results.UnitTime]).Center, results.UnitTime)
	}
	switch {
	case ref == nil:
	case row == ref:
		text = "**" + text + "**"
	default:
		times := ratio(advantage(ref, row).Center)
		text += " (" + times + ")"
	}
	if allocs := results.Summarize(row.Samples[results.UnitAllocs]).Center; allocs > 0 {
		text += ", " + allocated(results.Summarize(row.Samples[results.UnitBytes]).Center, allocs)
	}
	return text
}

// allocated writes what an operation allocates, bytes in full while they are few.
func allocated(bytes, allocs float64) string {
	amount, times := scaled(bytes, "B", above), "allocs"
	if bytes < 10e3 {
		amount = quantity(bytes, results.UnitBytes) + " B"
	}
	if allocs == 1 {
		times = "alloc"
	}
	return fmt.Sprintf("%s in %s %s", amount, quantity(allocs, results.UnitAllocs), times)
}
