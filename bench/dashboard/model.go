package main

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/bench/internal/gate"
	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// page is all that the template shows.
type page struct {
	Newest   *results.Run
	Previous *results.Run // on the same machine, may be nil
	Runs     []runLine    // newest first
	Promises []gate.Verdict
	Costs    []gate.CostVerdict
	Changes  []changeLine
	Benches  []bench
}

// runLine is one results file and where to find it from the page.
type runLine struct {
	*results.Run
	Link template.URL
}

// changeLine is a significant change since the previous run.
type changeLine struct {
	Row *results.Row
	results.Change
	Better bool
}

// bench is one benchmark.
type bench struct {
	Name  string
	About string
	Cards []card
}

// card is one comparison: how it stands now, and how it came to that on each
// machine.
type card struct {
	Title string
	Sides [2][]figure // the newest run, and what came before
}

// figure is a picture with the table of what it shows, or a table alone.
type figure struct {
	ID      string
	Lead    string
	Caption string
	Picture template.HTML
	Head    []string
	Lines   []line
}

// line is a row of a table.
type line struct {
	Ours  bool
	Cells []cell
}

// cell is text with a class of the style sheet.
type cell struct {
	Text  string
	Class string
}

// about tells what a benchmark does. A benchmark without an entry is shown all
// the same.
var about = map[string]string{
	"Checksum":    "The XOR-8 checksum of a log, beside the naive loop and beside what touches every byte as fast as the standard library can.",
	"Header":      "All fields of a version 3 log header.",
	"Walk":        "A full log from bytes to arguments: checksum, frames, records, every integer argument summed.",
	"Load":        "The start: from the ELF file of a firmware to the string at an address, beside a map of all strings made with debug/elf.",
	"Render":      "A record to text: alone from its payload, and from a file of logs to lines or JSON with all that comes before and after.",
	"Parallel":    "A file of logs to lines or JSON on two cores, beside one.",
	"MQTT":        "One MQTT PUBLISH from bytes to topic and payload, which is not copied.",
	"CaptureFile": "A capture file down to topic and payload of each publish, beside tshark.",
	"Capture":     "Logs of 64 KiB out of a capture file: TCP reassembly, MQTT, checksum.",
	"Publish":     "Messages that the broker has acknowledged, from the client and from a bare loop over a socket.",
	"Validate":    "Is it a log, and is its checksum right? Beside the vendor's library, in Python.",
	"Upload":      "Logs of 1 KiB until the cloud has them, one with connection and registration, a thousand over one connection, beside the vendor's library.",
	"Outbox":      "Logs of 1 KiB that are durable on disk when their callers go on, beside one fsync.",
	"Ingest":      "Messages that wait at mosquitto, into a worker whose sink is memory or files, beside a bare paho subscriber that only acknowledges.",
	"Tap":         "What it costs to write a publish of 64 KiB through a connection that is tapped.",
}

// perOperation are the benchmarks in which a message costs what it costs, almost
// whatever its size: bytes a second would count bytes that nobody touches.
var perOperation = []string{"MQTT", "Publish", "Ingest"}

// unitRate is operations per second, made from the time of one.
const unitRate = "op/s"

// speedUnit is the unit in which all rows can be drawn, more being better. Bytes
// a second are it where every byte is work; for a header of 17 bytes they would
// say nothing.
func speedUnit(rows []*results.Row) string {
	common := func(unit string) bool {
		return !slices.ContainsFunc(rows, func(r *results.Row) bool { return len(r.Samples[unit]) == 0 })
	}
	sized := !slices.ContainsFunc(rows, func(r *results.Row) bool {
		return !strings.Contains(r.Case, "size=") || slices.Contains(perOperation, r.Bench)
	})
	if sized && common(results.UnitSpeed) {
		return results.UnitSpeed
	}
	for _, unit := range rows[0].Units() {
		if strings.HasSuffix(unit, "/s") && common(unit) {
			return unit
		}
	}
	return unitRate
}

func speed(row *results.Row, unit string) []float64 {
	if unit != unitRate {
		return row.Samples[unit]
	}
	rates := make([]float64, 0, len(row.Samples[results.UnitTime]))
	for _, t := range row.Samples[results.UnitTime] {
		if t > 0 {
			rates = append(rates, 1/t)
		}
	}
	return rates
}

// advantage is how many times as fast ours is. It is taken from the times, whatever
// unit is shown beside it, so that it is the same number everywhere: a rate that was
// rounded when it was written gives other digits.
func advantage(ours, peer *results.Row) results.Summary {
	return results.Ratio(ours, peer, results.UnitTime)
}

// newPage makes the page of the runs, oldest first. link tells where a results
// file is.
func newPage(runs []*results.Run, link func(file string) string) (*page, error) {
	newest := runs[len(runs)-1]
	p := &page{
		Newest:   newest,
		Previous: results.Previous(runs, newest),
		Promises: gate.Speed(newest, gate.Promises),
		Costs:    gate.Allocations(newest, gate.Costs),
	}
	for _, run := range slices.Backward(runs) {
		p.Runs = append(p.Runs, runLine{run, template.URL(link(run.File))})
	}
	if p.Previous != nil {
		p.Changes = changes(p.Previous, newest)
	}

	for _, name := range benchNames(runs) {
		b := bench{Name: name, About: about[name]}
		for _, g := range groups(runs, name) {
			c, err := newCard(runs, name, g)
			if err != nil {
				return nil, err
			}
			b.Cards = append(b.Cards, c)
		}
		p.Benches = append(p.Benches, b)
	}
	return p, nil
}

// newCard returns the figures of one group of rows.
func newCard(runs []*results.Run, name string, g group) (card, error) {
	c := card{Title: g.title}
	if len(g.rows) > 0 {
		f, err := barFigure(runs[len(runs)-1], g)
		if err != nil {
			return card{}, err
		}
		c.Sides[0] = append(c.Sides[0], f)
	}

	var elsewhere []*results.Run
	for i, machine := range machines(runs) {
		// One point is no curve; the newest machine's is the exception,
		// since it will become one.
		if i > 0 && len(machine) == 1 {
			elsewhere = append(elsewhere, machine...)
			continue
		}

		for _, where := range g.cases {
			f, err := historyFigure(machine, name, where, len(g.cases) > 1)
			if err != nil {
				return card{}, err
			}
			if len(f.Lines) > 0 {
				c.Sides[1] = append(c.Sides[1], f)
			}
		}
	}

	if f := elsewhereFigure(elsewhere, name, g); len(f.Lines) > 0 {
		c.Sides[0] = append(c.Sides[0], f)
	}
	return c, nil
}

func changes(before, now *results.Run) []changeLine {
	var lines []changeLine
	for _, row := range now.Rows {
		old := before.Find(row.Bench, row.Impl, row.Case)
		if old == nil || !row.Ours() {
			continue
		}
		c := results.Compare(old.Samples[results.UnitTime], row.Samples[results.UnitTime])
		if c.Significant {
			lines = append(lines, changeLine{row, c, c.Delta < 0})
		}
	}
	return lines
}

// benchNames returns the benchmarks of all runs, in the order of the newest run
// that has them.
func benchNames(runs []*results.Run) []string {
	var names []string
	for _, run := range slices.Backward(runs) {
		for _, row := range run.Rows {
			if !slices.Contains(names, row.Bench) {
				names = append(names, row.Bench)
			}
		}
	}
	return names
}

// group is what one picture compares: the implementations of one case, or the
// cases of a benchmark without peers.
type group struct {
	title string
	cases []string
	rows  []*results.Row // of the newest run
}

// groups returns the groups of a benchmark, with all its cases of all runs: one
// for each case that has peers, then one with the cases that have none.
func groups(runs []*results.Run, name string) []group {
	var found []string
	peers := map[string]bool{} // by case
	for _, run := range slices.Backward(runs) {
		impls := map[string]string{}
		for _, row := range run.Rows {
			if row.Bench != name {
				continue
			}
			if !slices.Contains(found, row.Case) {
				found = append(found, row.Case)
			}
			if first, ok := impls[row.Case]; ok && first != row.Impl {
				peers[row.Case] = true
			}
			impls[row.Case] = row.Impl
		}
	}

	var gs []group
	alone := group{title: title(name, "")}
	for _, where := range found {
		if peers[where] {
			gs = append(gs, group{title: title(name, where), cases: []string{where}})
		} else {
			alone.cases = append(alone.cases, where)
		}
	}

	if len(alone.cases) == 1 {
		alone.title = title(name, alone.cases[0])
	} else if len(gs) > 0 {
		alone.title += ", without peers"
	}

	if len(alone.cases) > 0 {
		gs = append(gs, alone)
	}
	for _, row := range runs[len(runs)-1].Rows {
		for i := range gs {
			if row.Bench == name && slices.Contains(gs[i].cases, row.Case) {
				gs[i].rows = append(gs[i].rows, row)
			}
		}
	}
	return gs
}

// machines splits the runs by machine, that of the newest run first. Each part
// is oldest first.
func machines(runs []*results.Run) [][]*results.Run {
	byMachine := map[string][]*results.Run{}
	for _, run := range runs {
		byMachine[run.Machine()] = append(byMachine[run.Machine()], run)
	}
	var parts [][]*results.Run
	for _, run := range slices.Backward(runs) {
		if part := byMachine[run.Machine()]; part != nil {
			parts = append(parts, part)
			delete(byMachine, run.Machine())
		}
	}
	return parts
}

// reference is the row that the others are compared with: our first one without
// a variant in its name, else our first one, else none.
func reference(rows []*results.Row) *results.Row {
	var first *results.Row
	for _, row := range rows {
		if !row.Ours() {
			continue
		}
		if !strings.Contains(row.Impl, "-") {
			return row
		}
		first = cmp.Or(first, row)
	}
	return first
}
