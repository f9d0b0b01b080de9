package results

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Confidence is that of every interval shown.
const Confidence = 0.95

// Summary is the median of some samples with its confidence interval.
type Summary struct {
	Center, Lo, Hi float64
	N              int
}

// Bounded reports whether the samples were enough for an interval; that takes
// six of them.
func (s Summary) Bounded() bool {
	return s.N > 0 && !math.IsInf(s.Lo, 0) && !math.IsInf(s.Hi, 0)
}

// Spread is the larger half of the interval relative to the median.
func (s Summary) Spread() float64 {
	if s.Center == 0 {
		return 0
	}
	return max(s.Hi-s.Center, s.Center-s.Lo) / math.Abs(s.Center)
}

// Summarize returns the median and its interval. It makes no assumption on how
// samples are distributed: times of a shared machine have a long tail.
func Summarize(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	s := benchmath.AssumeNothing.Summary(sample(samples), Confidence)
	return Summary{s.Center, s.Lo, s.Hi, len(samples)}
}

// Change is the difference between two sets of samples.
type Change struct {
	Old, New    Summary
	Delta       float64 // (new-old)/old of the medians
	P           float64 // that chance alone makes them differ as much (Mann-Whitney U)
	Significant bool    // P is below 0.05
}

// Compare tells whether the two sets differ by more than chance.
func Compare(before, after []float64) Change {
	c := Change{Old: Summarize(before), New: Summarize(after), P: 1}
	if len(before) == 0 || len(after) == 0 || c.Old.Center == 0 {
		return c
	}
	c.Delta = c.New.Center/c.Old.Center - 1
	test := benchmath.AssumeNothing.Compare(sample(before), sample(after))
	c.P = test.P
	c.Significant = test.P < test.Alpha && c.Delta != 0
	return c
}

// sample copies, since benchmath sorts what it is given and the order of the
// passes is still wanted.
func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// Ratio returns how many times as fast a is as b, by the unit: less time, or more
// of anything else. Each pass gives one ratio, so that what slows the machine
// down for a while slows both and cancels out.
func Ratio(a, b *Row, unit string) Summary {
	more, less := a.Samples[unit], b.Samples[unit]
	if unit == UnitTime {
		more, less = less, more
	}
	n := min(len(more), len(less))
	ratios := make([]float64, 0, n)
	for i := range n {
		if less[i] > 0 {
			ratios = append(ratios, more[i]/less[i])
		}
	}
	return Summarize(ratios)
}

// Previous returns the newest of the earlier runs on the same machine, or nil.
// Runs are oldest first.
func Previous(runs []*Run, run *Run) *Run {
	for _, other := range slices.Backward(runs) {
		if other != run && other.File != run.File && other.Machine() == run.Machine() && other.Date.Before(run.Date) {
			return other
		}
	}
	return nil
}
