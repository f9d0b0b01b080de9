package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// title names a case in words: "size=65535" is "65535 B".
func title(name, where string) string {
	if where == "" {
		return name
	}
	return name + ", " + words(where)
}

func words(where string) string {
	parts := strings.Split(where, "/")
	for i, part := range parts {
		if size, ok := strings.CutPrefix(part, "size="); ok {
			parts[i] = size + " B"
		}
	}
	return strings.Join(parts, ", ")
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9]+`)

func id(parts ...string) string {
	return strings.Trim(notInID.ReplaceAllString(strings.Join(parts, "-"), "-"), "-")
}

// barFigure compares the rows of a group, the fastest first.
func barFigure(run *results.Run, g group) (figure, error) {
	rows, byCase := g.rows, len(g.cases) > 1
	unit, ref := speedUnit(rows), reference(rows)
	if byCase || len(rows) == 1 {
		ref = nil
	} else {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b *results.Row) int {
			x, y := results.Summarize(speed(a, unit)).Center, results.Summarize(speed(b, unit)).Center
			return cmp.Compare(y, x)
		})
	}

	f := figure{
		ID:      id(g.title, "bars"),
		Lead:    "Speed, more is better.",
		Caption: fmt.Sprintf("%s, %s, %s.", run.CPU, run.Go, run.Date.Format(time.DateOnly)),
	}
	extras := units(rows)
	if unit == results.UnitSpeed {
		extras = append([]string{unit}, extras...)
	}

	f.Head = append(f.Head, "", "time/op", "95 %")
	for range extras {
		f.Head = append(f.Head, "")
	}

	f.Head = append(f.Head, "B/op", "allocs")
	if ref != nil {
		f.Head = append(f.Head, ref.Impl+" is")
	}

	bars := make([]bar, 0, len(rows))
	for _, row := range rows {
		b := bar{name: row.Impl, speed: results.Summarize(speed(row, unit)), unit: unit, ink: inkPeer}
		if byCase {
			b.name = words(row.Case)
		}
		b.name = orDefault(b.name, row.Bench)
		if row.Ours() {
			b.ink = inkOurs
			if ref != nil && row != ref {
				b.ink = inkVariant
			}
		}
		if ref != nil && row != ref {
			times := advantage(ref, row).Center
			b.ratio, b.lost = ratio(times), times < 1
		}
		bars = append(bars, b)
		f.Lines = append(f.Lines, barLine(b.name, row, ref, unit, extras))
	}

	var err error
	head := ""
	if ref != nil {
		head = ref.Impl + " is"
	}
	f.Picture, err = drawBars(g.title+": bars of speed, as in the table below", head, bars)
	return f, err
}

// units returns the units of the rows beyond the usual ones.
func units(rows []*results.Row) []string {
	var found []string
	for _, row := range rows {
		for _, unit := range row.Units() {
			if !slices.Contains(found, unit) {
				found = append(found, unit)
			}
		}
	}
	return found
}

// barLine returns the words beside one bar.
func barLine(name string, row, ref *results.Row, unit string, extras []string) line {
	l := line{Ours: row.Ours()}
	add := func(text, class string) { l.Cells = append(l.Cells, cell{text, class}) }
	median := func(unit string) string {
		if s := results.Summarize(row.Samples[unit]); s.N > 0 {
			return quantity(s.Center, unit)
		}
		return ""
	}

	add(name, "name")
	add(median(results.UnitTime), "value")
	add(spread(results.Summarize(row.Samples[results.UnitTime])), "quiet")
	for _, unit := range extras {
		add(median(unit), "")
	}

	add(median(results.UnitBytes), "")
	add(median(results.UnitAllocs), "")
	switch {
	case ref == nil:
	case row == ref:
		add("\u2014", "quiet")
	default:
		s := advantage(ref, row)
		class := ""
		if s.Center < 1 {
			class = "lost"
		}
		add(ratio(s.Center), class)
	}
	return l
}

// historyFigure follows one case through the runs of one machine.
// named tells whether it must say which case.
func historyFigure(runs []*results.Run, name, where string, named bool) (figure, error) {
	machine := runs[0].Machine()
	lead := "Speed through the runs"
	if named {
		lead += ", " + words(where)
	}

	f := figure{
		ID:      id(name, where, "history", machine),
		Lead:    lead + ".",
		Caption: fmt.Sprintf("%s; the first run is 100 %%, thin lines are peers.", runs[0].CPU),
	}
	var instants []instant
	for _, run := range runs {
		instants = append(instants, instant{run.Date, run.Go, run.Commit[:min(7, len(run.Commit))]})
	}

	var firsts []*results.Row // of each implementation
	seen := map[string]bool{}
	for _, run := range runs {
		for _, row := range run.Rows {
			if row.Bench == name && row.Case == where && !seen[row.Impl] {
				seen[row.Impl] = true
				firsts = append(firsts, row)
			}
		}
	}

	var lines []series
	for _, row := range firsts {
		lines = append(lines, follow(runs, row, row != reference(firsts)))
	}
	ours := slices.DeleteFunc(slices.Clone(lines), func(s series) bool { return !s.ours })
	several := len(ours) > 1
	for i, run := range slices.Backward(runs) {
		for _, row := range run.Rows {
			if row.Bench == name && row.Case == where && row.Ours() {
				f.Lines = append(f.Lines, historyLine(runs[:i], run, row, several))
			}
		}
	}

	f.Head = []string{"run", "commit", "Go", "time/op", "95 %", "change", "p"}
	if several {
		f.Head = slices.Insert(f.Head, 1, "")
	}
	var err error
	f.Picture, err = drawHistory(title(name, where)+": speed through the runs, as in the table below", instants, lines)
	return f, err
}

// elsewhereFigure lists our rows of the runs on other machines, newest first.
func elsewhereFigure(runs []*results.Run, name string, g group) figure {
	f := figure{
		ID:   id(g.title, "elsewhere"),
		Lead: "On other processors.",
		Head: []string{"run", "processor", "", "commit", "Go", "time/op", "95 %"},
	}
	for _, run := range runs {
		for _, row := range run.Rows {
			if row.Bench != name || !row.Ours() || !slices.Contains(g.cases, row.Case) {
				continue
			}

			what := row.Impl
			if len(g.cases) > 1 {
				what = words(row.Case)
			}

			now := results.Summarize(row.Samples[results.UnitTime])
			f.Lines = append(f.Lines, line{Ours: true, Cells: []cell{
				{run.Date.Format(time.DateOnly), "name"},
				{run.CPU, ""},
				{what, "quiet"},
				{run.ShortCommit(), "code"},
				{strings.TrimPrefix(run.Go, "go"), ""},
				{quantity(now.Center, results.UnitTime), "value"},
				{spread(now), "quiet"},
			}})
		}
	}
	return f
}

// before returns the row of the newest of the runs that has it.
func before(runs []*results.Run, row *results.Row) *results.Row {
	for _, run := range slices.Backward(runs) {
		if old := run.Find(row.Bench, row.Impl, row.Case); old != nil {
			return old
		}
	}
	return nil
}

// follow makes the series of the row's implementation. variant tells that it is
// one of ours, but not the one that the others are compared with.
func follow(runs []*results.Run, first *results.Row, variant bool) series {
	s := series{ours: first.Ours(), ink: inkPeer}
	if s.ours {
		s.ink = inkOurs
		if variant {
			s.ink = inkVariant
		}
	}

	base := results.Summarize(speed(first, unitRate)).Center
	for i, run := range runs {
		row := run.Find(first.Bench, first.Impl, first.Case)
		if row == nil || base == 0 {
			continue
		}
		rates := speed(row, unitRate)
		for j := range rates {
			rates[j] /= base
		}

		at := point{run: i, speed: results.Summarize(rates)}
		if old := before(runs[:i], row); old != nil && s.ours {
			c := results.Compare(old.Samples[results.UnitTime], row.Samples[results.UnitTime])
			if c.Significant && s.ink == inkOurs { // a variant's would be in the way
				at.better = c.Delta < 0
				at.marked = mark(c)
			}
		}

		s.points = append(s.points, at)
	}
	return s
}

// mark writes a significant change of time as a change of speed.
func mark(c results.Change) string {
	arrow := "\u25bc"
	if c.Delta < 0 {
		arrow = "\u25b2"
	}
	return arrow + " " + change(1/(1+c.Delta)-1)
}

// historyLine is one run. several tells that the picture has more than one
// implementation of ours.
func historyLine(earlier []*results.Run, run *results.Run, row *results.Row, several bool) line {
	now := results.Summarize(row.Samples[results.UnitTime])
	l := line{Ours: true, Cells: []cell{{run.Date.Format(time.DateOnly), "name"}}}
	if several {
		l.Cells = append(l.Cells, cell{row.Impl, "name quiet"})
	}

	l.Cells = append(l.Cells,
		cell{run.ShortCommit(), "code"},
		cell{strings.TrimPrefix(run.Go, "go"), ""},
		cell{quantity(now.Center, results.UnitTime), "value"},
		cell{spread(now), "quiet"})

	old := before(earlier, row)
	if old == nil {
		l.Cells = append(l.Cells, cell{"first", "quiet"}, cell{})
		return l
	}
	c := results.Compare(old.Samples[results.UnitTime], row.Samples[results.UnitTime])
	delta := cell{"~", "quiet"}
	if c.Significant {
		delta = cell{mark(c), "worse"}
		if c.Delta < 0 {
			delta.Class = "better"
		}
	}

	l.Cells = append(l.Cells, delta, cell{chance(c.P), "quiet"})
	return l
}
