package gate

import (
	"fmt"
	"math"
	"slices"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// Status says how a promise stands in a run.
type Status int

// The states of a promise.
const (
	Kept    Status = iota
	Short          // below the promise, within the tolerance
	Broken         // below the tolerance, or a cost that is not the promised one
	Missing        // the run lacks a row of it
	Absent         // the run was not about it, or could not be
	Advice         // below the tolerance, of what a busy machine does not have to give
)

var statusNames = [...]string{"kept", "short", "BROKEN", "MISSING", "not in this run", "below, advice only"}

func (s Status) String() string { return statusNames[s] }

// Fails reports whether a run with such a promise must not pass.
func (s Status) Fails() bool { return s == Broken || s == Missing }

// Verdict is one promise of speed for one case.
type Verdict struct {
	Promise
	Case   string
	Ratio  results.Summary
	Status Status
}

// Speed checks the promises of speed. Those whose benchmark was left out of the run
// are Absent, and so are those whose rows need what a machine may not have, if the
// run has none of them. Those that take what others of a busy machine take as well
// are Advice where they would be Broken. The ratio of a verdict's promise is the one that
// holds on the processor of the run.
func Speed(run *results.Run, promises []Promise) []Verdict {
	var verdicts []Verdict
	for _, p := range promises {
		p = p.on(run.CPU)
		cases := p.Cases
		if cases == nil {
			cases = []string{""}
		}

		for _, where := range cases {
			v := Verdict{Promise: p, Case: where, Status: Missing}
			ours, peer := run.Find(p.Bench, p.Of, where), run.Find(p.Bench, p.Peer, where)
			if ours != nil && peer != nil {
				v.Ratio = results.Ratio(ours, peer, results.UnitTime)
				v.Status = judge(v.Ratio, p.Ratio)
				if v.Status == Broken && p.Takes != "" && run.Busy() {
					v.Status = Advice
				}
			} else if absent(run, p.Bench, p.Of, where) {
				v.Status = Absent
			}

			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

// absent reports whether a run has no row of a benchmark and need not have one.
func absent(run *results.Run, bench, impl, where string) bool {
	if slices.ContainsFunc(run.Rows, func(r *results.Row) bool { return r.Bench == bench }) {
		return false
	}
	cost, ok := costOf(Costs, bench, impl, where)
	return ok && cost.Free != "" || !run.Covers(bench)
}

// judge takes the upper end of the interval for what fails, so that noise alone
// does not.
func judge(ratio results.Summary, promised float64) Status {
	best := ratio.Center
	if ratio.Bounded() {
		best = ratio.Hi
	}
	switch {
	case ratio.Center >= promised:
		return Kept
	case best >= promised*(1-Tolerance):
		return Short
	}
	return Broken
}

// CostVerdict is the cost of one of our rows.
type CostVerdict struct {
	Row    *results.Row
	Cost   Cost
	Status Status
	Reason string // empty when kept
}

// Allocations checks what our rows allocate, but for those that are free.
func Allocations(run *results.Run, costs []Cost) []CostVerdict {
	var verdicts []CostVerdict
	seen := map[string]bool{}
	for _, row := range run.Rows {
		if !row.Ours() {
			continue
		}

		seen[row.Bench+"/"+row.Impl] = true
		v := CostVerdict{Row: row}
		cost, ok := costOf(costs, row.Bench, row.Impl, row.Case)
		v.Cost = cost
		switch {
		case !ok:
			v.Status, v.Reason = Missing, "has no entry in gate.Costs; add one"
		case cost.Free != "":
			continue
		default:
			v.Status, v.Reason = exact(row, cost)
		}
		verdicts = append(verdicts, v)
	}

	for _, c := range costs {
		if key := c.Bench + "/" + c.Impl; !seen[key] && c.Free == "" && !absent(run, c.Bench, c.Impl, "") {
			seen[key] = true
			row := &results.Row{Bench: c.Bench, Impl: c.Impl}
			verdicts = append(verdicts, CostVerdict{row, c, Missing, "is promised but not in the results"})
		}
	}
	return verdicts
}

// exact compares the medians with the promise. One sample of several may differ:
// the runtime itself allocates now and then.
func exact(row *results.Row, cost Cost) (Status, string) {
	for _, unit := range []struct {
		name string
		want float64
	}{{results.UnitAllocs, cost.Allocs}, {results.UnitBytes, cost.Bytes}} {
		s := results.Summarize(row.Samples[unit.name])
		if s.N == 0 {
			return Missing, "has no " + unit.name + "; run with -benchmem"
		}
		allowed, how := 0.0, "exactly"
		if cost.Near != "" {
			allowed, how = unit.want*Nearness, "about"
		}
		if math.Abs(s.Center-unit.want) > allowed {
			return Broken, fmt.Sprintf("has %v %s, promised are %s %v", s.Center, unit.name, how, unit.want)
		}
	}
	return Kept, ""
}
