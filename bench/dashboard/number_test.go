package main

import (
	"math"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

func TestQuantityIsShownInAFittingUnit(t *testing.T) {
	for _, c := range []struct {
		x    float64
		unit string
		want string
	}{
		{2.459e-9, results.UnitTime, "2.46 ns"},
		{9.996e-9, results.UnitTime, "10.0 ns"},
		{99.96e-9, results.UnitTime, "100 ns"},
		{999.4e-9, results.UnitTime, "999 ns"},
		{999.6e-9, results.UnitTime, "1.00 \u00b5s"},
		{46.096e-6, results.UnitTime, "46.1 \u00b5s"},
		{0.00152, results.UnitTime, "1.52 ms"},
		{12, results.UnitTime, "12.0 s"},
		{1e-12, results.UnitTime, "0.00100 ns"},
		{51.29413e9, results.UnitSpeed, "51.3 GB/s"},
		{134.47e6, results.UnitSpeed, "134 MB/s"},
		{12, results.UnitSpeed, "12.0 B/s"},
		{465e6, unitRate, "465 Mop/s"},
		{63.26, "Mframes/s", "63.3 Mframes/s"},
		{15025553, "records/s", "15.0 M records/s"},
		{9990, "records/s", "9990 records/s"},
		{1469661, results.UnitBytes, "1469661"},
		{1469659.5, results.UnitBytes, "1469659"},
		{0, results.UnitAllocs, "0"},
	} {
		if got := quantity(c.x, c.unit); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.x, c.unit, got, c.want)
		}
	}
}

func TestRatioIsShownRounded(t *testing.T) {
	for x, want := range map[float64]string{0.918: "0.92\u00d7", 14.86: "14.9\u00d7", 2.995: "3.00\u00d7", 124.4: "124\u00d7", 9.999: "10.00\u00d7"} {
		if got := ratio(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
}

func TestSpreadIsTheLargerSideInPercent(t *testing.T) {
	for want, s := range map[string]results.Summary{
		"n<6":         {Center: 5, Lo: math.Inf(-1), Hi: math.Inf(1), N: 5},
		"\u00b10.0 %": {Center: 5, Lo: 5, Hi: 5, N: 9},
		"\u00b12.0 %": {Center: 100, Lo: 99, Hi: 102, N: 9},
		"\u00b120 %":  {Center: 100, Lo: 80, Hi: 101, N: 9},
		"\u00b1102 %": {Center: 50, Lo: 49, Hi: 101, N: 9},
	} {
		if got := spread(s); got != want {
			t.Errorf("%+v is %q, want %q", s, got, want)
		}
	}
}

func TestStepsAreRoundedUp(t *testing.T) {
	for x, want := range map[float64]float64{1: 1, 1.1: 2, 2.1: 2.5, 3: 5, 5.1: 10, 0.03: 0.05, 2.4e10: 2.5e10} {
		if got := roundStep(x); math.Abs(got-want) > want*1e-9 {
			t.Errorf("step of %v is %v, want %v", x, got, want)
		}
	}
}

func TestAllocationsAreShownWithTheirBytes(t *testing.T) {
	for _, c := range []struct {
		bytes, allocs float64
		want          string
	}{
		{48, 1, "48 B in 1 alloc"},
		{8099, 25, "8099 B in 25 allocs"},
		{1469659.5, 486, "1.47 MB in 486 allocs"},
	} {
		if got := allocated(c.bytes, c.allocs); got != c.want {
			t.Errorf("%v in %v is %q, want %q", c.bytes, c.allocs, got, c.want)
		}
	}
}

func TestTicksAreRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		high float64
		unit string
		want string
	}{
		{70.7e9, results.UnitSpeed, "0, 25, 50 GB/s"},
		{1.62e9, results.UnitSpeed, "0, 1 GB/s"},
		{1.2e9, results.UnitSpeed, "0, 0.5, 1 GB/s"},
		{465e6, unitRate, "0, 200, 400 Mop/s"},
		{6.1e6, "records/s", "0, 2.5, 5 M records/s"},
		{63, "Mframes/s", "0, 25, 50 Mframes/s"},
		{5, unitRate, "0, 2, 4 op/s"},
	} {
		var labels []string
		for _, tick := range (roundTicks{c.unit}).Ticks(0, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, ", "); got != c.want {
			t.Errorf("ticks up to %v %s are %s, want %s", c.high, c.unit, got, c.want)
		}
	}
}
