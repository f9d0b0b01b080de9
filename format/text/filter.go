package text

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

// Filter chooses records. All but Grep look at a record's undecoded bytes, and
// Grep where the format alone decides. The zero Filter lets all pass.
type Filter struct {
	// Levels has a bit for each level to show; 0 shows all. See LevelsFrom.
	Levels uint8
	// Modules has a bit for each module to show; 0 shows all.
	Modules uint32
	// Grep is searched for in the text of the record.
	Grep *regexp.Regexp
	// Since and Until bound the time in seconds since boot; Until 0 is no
	// bound. Only version 3 logs with a clock have a time: with a bound, the
	// others are not shown.
	Since, Until float64
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

// ParseModules reads a comma-separated list of module numbers and names of the
// dictionary, which may be nil.
func ParseModules(list string, d Dictionary) (mask uint32, err error) {
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		if n, err := strconv.ParseUint(part, 10, 5); err == nil {
			mask |= 1 << n
			continue
		}
		found := false
		var names []string
		for n := range uint8(32) {
			if d == nil {
				break
			}
			if name, ok := d.Module(n); ok {
				names = append(names, name)
				if strings.EqualFold(name, part) {
					mask |= 1 << n
					found = true
				}
			}
		}
		if !found {
			known := "the firmware names none"
			if len(names) > 0 {
				known = "the firmware has " + strings.Join(names, ", ")
			}
			return 0, fmt.Errorf("module %q is neither a number from 0 to 31 nor a name: %s", part, known)
		}
	}
	return mask, nil
}

// head reports whether the first byte of a payload passes.
func (f *Filter) head(moduleLevel byte) bool {
	return (f.Levels == 0 || f.Levels>>(moduleLevel>>5)&1 != 0) &&
		(f.Modules == 0 || f.Modules>>(moduleLevel&31)&1 != 0)
}

func (f *Filter) hasTime() bool { return f.Since != 0 || f.Until != 0 }

// time reports whether a record at this time passes.
func (f *Filter) time(seconds float64) bool {
	return seconds >= f.Since && (f.Until == 0 || seconds <= f.Until)
}
