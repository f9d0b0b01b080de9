package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// scaled writes a number with three digits and the largest prefix that fits.
func scaled(x float64, unit string, prefixes []prefix) string {
	for _, p := range prefixes {
		// 999.6 n would be written as 1000 n.
		if math.Abs(x) >= p.factor*0.9995 || p == prefixes[len(prefixes)-1] {
			return digits(x/p.factor) + " " + p.name + unit
		}
	}
	return digits(x) + " " + unit
}

type prefix struct {
	factor float64
	name   string
}

var (
	below = []prefix{{1, ""}, {1e-3, "m"}, {1e-6, "\u00b5"}, {1e-9, "n"}}
	above = []prefix{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}
)

// tickText writes a round value at an axis, in the unit that suits the last
// value. Only that one bears it.
func tickText(x, last float64, unit string) string {
	name, prefixes := " "+unit, []prefix{{1, ""}}
	switch {
	case unit == results.UnitSpeed:
		name, prefixes = "B/s", above
	case unit == unitRate:
		name, prefixes = "op/s", above
	case large(last, unit):
		prefixes = above
	}
	i := max(0, slices.IndexFunc(prefixes, func(p prefix) bool { return last >= p.factor*0.9995 }))
	text := strconv.FormatFloat(x/prefixes[i].factor, 'g', 4, 64)
	if x < last*(1-1e-9) {
		return text
	}
	return text + " " + strings.TrimSpace(prefixes[i].name+name)
}

// digits writes a number with three significant digits, without exponent.
func digits(x float64) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(math.Abs(x)*1.0005)))), 64)
}

// quantity writes a value of a unit as people write it.
func quantity(x float64, unit string) string {
	switch unit {
	case results.UnitTime:
		return scaled(x, "s", below)
	case results.UnitSpeed:
		return scaled(x, "B/s", above)
	case results.UnitBytes, results.UnitAllocs:
		// Counts; a median between two of them is one of the two.
		return strconv.FormatFloat(math.Floor(x), 'f', -1, 64)
	case unitRate:
		return scaled(x, "op/s", above)
	}
	if large(x, unit) {
		return scaled(x, " "+unit, above)
	}
	return digits(x) + " " + unit
}

// large tells that a rate in a unit of its own wants a prefix. Names of units
// may begin with one: that of "Mframes/s" is not to be doubled.
func large(x float64, unit string) bool { return x >= 9.995e3 && strings.HasSuffix(unit, "/s") }

// ratio writes how many times.
func ratio(x float64) string {
	if x < 10 {
		return strconv.FormatFloat(x, 'f', 2, 64) + "\u00d7"
	}
	return digits(x) + "\u00d7"
}

// spread writes the half width of an interval.
func spread(s results.Summary) string {
	if !s.Bounded() {
		return "n<6"
	}
	percent := s.Spread() * 100
	if percent < 9.95 {
		return fmt.Sprintf("\u00b1%.1f %%", percent)
	}
	return fmt.Sprintf("\u00b1%.0f %%", percent)
}

// change writes a relative difference with its sign.
func change(x float64) string { return fmt.Sprintf("%+.1f %%", x*100) }

// chance writes a p value.
func chance(p float64) string {
	if p < 0.001 {
		return "<0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
