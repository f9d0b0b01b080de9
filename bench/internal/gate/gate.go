package gate

import (
	"fmt"
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
)

var statusNames = [...]string{"kept", "short", "BROKEN", "MISSING"}

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

// Speed checks the promises of speed.
func Speed(run *results.Run, promises []Promise) []Verdict {
	var verdicts []Verdict
	for _, p := range promises {
		cases := p.Cases
		if cases == nil {
			cases = []string{""}
		}
		for _, where := range cases {
			v := Verdict{Promise: p, Case: where, Status: Missing}
			ours, peer := run.Find(p.Bench, p.Of, where), run.Find(p.Bench, p.Peer, where)
			if ours != nil && peer != nil {
				v.Ratio = results.Ratio(ours, peer)
				v.Status = judge(v.Ratio.Center, p.Ratio)
			}
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}

func judge(ratio, promised float64) Status {
	switch {
	case ratio >= promised:
		return Kept
	case ratio >= promised*(1-Tolerance):
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

// Allocations checks what our rows allocate.
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
		case cost.Varies != "":
			v.Reason = "not held: " + cost.Varies
		default:
			v.Status, v.Reason = exact(row, cost)
		}
		verdicts = append(verdicts, v)
	}
	for _, c := range costs {
		if key := c.Bench + "/" + c.Impl; !seen[key] {
			seen[key] = true
			row := &results.Row{Bench: c.Bench, Impl: c.Impl}
			verdicts = append(verdicts, CostVerdict{row, c, Missing, "is promised but not in the results"})
		}
	}
	return verdicts
}

// exact compares every sample with the promise.
func exact(row *results.Row, cost Cost) (Status, string) {
	for _, unit := range []struct {
		name string
		want float64
	}{{results.UnitAllocs, cost.Allocs}, {results.UnitBytes, cost.Bytes}} {
		samples := row.Samples[unit.name]
		if len(samples) == 0 {
			return Missing, "has no " + unit.name + "; run with -benchmem"
		}
		i := slices.IndexFunc(samples, func(x float64) bool { return x != unit.want })
		if i >= 0 {
			return Broken, fmt.Sprintf("%v %s, promised are exactly %v", samples[i], unit.name, unit.want)
		}
	}
	return Kept, ""
}
