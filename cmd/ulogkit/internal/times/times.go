// Package times reads times as people write them on a command line and in the names of
// files. All flags that take a time read it here, so that what one takes all do.
package times

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// layouts are the dates that are read. The fraction of a second may be left out.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// year10000 is that year in seconds since 1970. RFC 3339 has no later date.
const year10000 = 253402300800

// Parse reads "now", seconds since 1970, or a date with or without the time of the day.
// What has no zone is UTC, as the times of records are.
func Parse(s string) (time.Time, error) {
	if s == "now" {
		return time.Now(), nil
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil && x >= 0 && x < year10000 {
		return time.UnixMicro(int64(x * 1e6)), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write now, seconds since 1970, or as in 2026-11-28T09:30:00Z", s)
}

// inNames are the forms that times have in names of files; one without a layout is
// seconds or milliseconds since 1970.
var inNames = []struct {
	re     *regexp.Regexp
	layout string
}{
	{regexp.MustCompile(`\d{4}-?\d\d-?\d\d[T_-]\d\d[:-]?\d\d[:-]?\d\d(\.\d+)?Z?`), "20060102150405"},
	{regexp.MustCompile(`\b1\d{12}\b|\b1\d{9}\b`), ""},
}

// InName finds a time in the name of a file: a date with a time, in UTC, or
// seconds or milliseconds since 1970.
func InName(name string) (time.Time, bool) {
	for _, form := range inNames {
		found := form.re.FindString(strings.ReplaceAll(name, "_", "-"))
		if found == "" {
			continue
		}
		if form.layout == "" {
			n, err := strconv.ParseInt(found, 10, 64)
			if len(found) == 13 {
				return time.UnixMilli(n), err == nil
			}
			return time.Unix(n, 0), err == nil
		}

		whole, fraction, _ := strings.Cut(strings.TrimSuffix(found, "Z"), ".")
		t, err := time.Parse(form.layout, strings.NewReplacer("-", "", ":", "", "T", "").Replace(whole))
		if err != nil {
			continue
		}
		part, _ := strconv.ParseFloat("0."+fraction+"0", 64)
		return t.Add(time.Duration(part * float64(time.Second))), true
	}
	return time.Time{}, false
}
