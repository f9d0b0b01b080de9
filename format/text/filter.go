package text

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// Filter chooses records. All but Grep look at a record's undecoded bytes, and
// Grep where the format alone decides. The zero Filter lets all pass.
type Filter struct {
	// Levels has a bit for each level to show; 0 shows all. See LevelsFrom.
	Levels uint8
	// ModuleLevels are other levels for single modules, by number or by name in any
	// case, as Levels; see LevelsFrom.
	// Default: none.
	ModuleLevels map[string]uint8
	// Modules has a bit for each module to show.
	Modules uint32
	// ModuleNames are the names of more modules to show, in any case. Which numbers
	// have them is up to the dictionary of a record. Without any, and with Modules
	// 0, all modules are shown. See ParseModules.
	ModuleNames []string
	// Grep is searched for in the text of the record.
	Grep *regexp.Regexp
	// Since and Until bound the device time in seconds; Until 0 is no bound. Only
	// logs with a clock have a time: with a bound, the others are not shown.
	Since, Until float64
	// SinceTime and UntilTime bound the wall time, which only records have whose
	// device told it, or of which it is known when they came.
	// Default: the zero Time, no bound.
	SinceTime, UntilTime time.Time
}

// LevelsFrom returns the levels from l on. Metrics, which are no severity, are
// shown from debug on and by themselves.
func LevelsFrom(l format.Level) uint8 {
	switch {
	case l == format.LevelDebug:
		return 0
	case l >= format.LevelMetric:
		return 1 << (l & 7)
	}
	return 1<<format.LevelMetric - 1<<l
}

// ParseModules reads a comma-separated list of module numbers, 0 to 31, and names.
func ParseModules(list string) (numbers uint32, names []string) {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if n, err := strconv.ParseUint(part, 10, 5); err == nil {
			numbers |= 1 << n
		} else {
			names = append(names, part)
		}
	}
	return numbers, names
}

// CheckModules returns an error for a name that is not that of a module in any of
// the dictionaries.
func CheckModules(names []string, dicts []Dictionary) error {
	var known []string
	for _, d := range dicts {
		for n := range uint8(32) {
			if name, ok := d.Module(n); ok && !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	for _, name := range names {
		switch {
		case slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }):
		case len(known) == 0:
			return fmt.Errorf("module %q is neither a number from 0 to 31 nor a name: the firmware names none", name)
		default:
			return fmt.Errorf("module %q is neither a number from 0 to 31 nor a name: the firmware has %s", name, Printable(strings.Join(known, ", ")))
		}
	}
	return nil
}

// modules returns a bit for each module of a dictionary, or of none, to show.
func (f *Filter) modules(d Dictionary) uint32 {
	if f.Modules == 0 && len(f.ModuleNames) == 0 {
		return math.MaxUint32
	}
	mask := f.Modules
	for n := range uint8(32) {
		if d == nil {
			break
		}
		name, ok := d.Module(n)
		if ok && slices.ContainsFunc(f.ModuleNames, func(asked string) bool { return strings.EqualFold(asked, name) }) {
			mask |= 1 << n
		}
	}
	return mask
}

// levels returns the levels of each module of a dictionary, or of none, to show.
func (f *Filter) levels(d Dictionary) (levels [32]uint8) {
	for n := range levels {
		if levels[n] = f.Levels; f.Levels == 0 {
			levels[n] = math.MaxUint8
		}
		name := ""
		if d != nil {
			name, _ = d.Module(uint8(n))
		}
		for asked, of := range f.ModuleLevels {
			if asked == strconv.Itoa(n) || name != "" && strings.EqualFold(asked, name) {
				if levels[n] = of; of == 0 {
					levels[n] = math.MaxUint8
				}
			}
		}
	}
	return levels
}

// passes reports whether the first byte of a payload passes.
func (v *view) passes(moduleLevel byte) bool {
	module := moduleLevel & 31
	return v.levels[module]>>(moduleLevel>>5)&1 != 0 && v.modules>>module&1 != 0
}

func (f *Filter) hasTime() bool {
	return f.Since != 0 || f.Until != 0 || !f.SinceTime.IsZero() || !f.UntilTime.IsZero()
}

// time reports whether a record passes, and whether it has the times asked for.
func (f *Filter) time(r *record) (pass, known bool) {
	if f.Since != 0 || f.Until != 0 {
		seconds, ok := r.time()
		if !ok {
			return false, false
		}
		if seconds < f.Since || f.Until != 0 && seconds > f.Until {
			return false, true
		}
	}
	if !f.SinceTime.IsZero() || !f.UntilTime.IsZero() {
		us, _, ok := r.wall()
		if !ok {
			return false, false
		}
		t := time.UnixMicro(us)
		if t.Before(f.SinceTime) || !f.UntilTime.IsZero() && t.After(f.UntilTime) {
			return false, true
		}
	}
	return true, true
}
