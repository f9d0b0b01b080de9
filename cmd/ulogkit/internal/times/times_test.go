package times_test

import (
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/times"
)

func TestParseReadsWhatPeopleWrite(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"2026-11-28T09:30:00Z":      at,
		"2026-11-28T10:30:00+01:00": at,
		"2026-11-28T09:30:00.25Z":   at.Add(250 * time.Millisecond),
		"2026-11-28T09:30:00":       at, // without a zone it is UTC
		"2026-11-28 09:30:00":       at,
		"2026-11-28 09:30":          at,
		"2026-11-28":                at.Truncate(24 * time.Hour),
		"1795858200":                at,
		"1795858200.5":              at.Add(500 * time.Millisecond),
		"0":                         time.Unix(0, 0),
		"7":                         time.Unix(7, 0),
	} {
		if got, err := times.Parse(s); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", s, got, err, want)
		}
	}

	before := time.Now()
	if got, err := times.Parse("now"); err != nil || got.Before(before) || got.After(time.Now()) {
		t.Errorf("now: got %v, %v, want a moment after %v", got, err, before)
	}
	for _, s := range []string{"", "yesterday", "-1", "NaN", "Inf", "1e12", "2026-13-01", "09:30"} {
		if got, err := times.Parse(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
}

func TestInNameFindsADateOrSeconds(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)
	for name, want := range map[string]time.Time{
		"SN-1_20261128T093000Z.bin":       at,
		"2026-11-28_09-30-00.bin":         at,
		"log-2026-11-28T09:30:00.250.bin": at.Add(250 * time.Millisecond),
		"1795858200.bin":                  at,
		"SN-1_1795858200250.bin":          at.Add(250 * time.Millisecond),
	} {
		if got, ok := times.InName(name); !ok || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", name, got, ok, want)
		}
	}
	for _, name := range []string{"log.bin", "SN-17.bin", "20261328T093000Z.bin", "2026-11-28.bin"} {
		if got, ok := times.InName(name); ok {
			t.Errorf("%q: got %v, want none", name, got)
		}
	}
}
