package otlp

import (
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// The time of a record is reckoned back from that of its report: the device's own where
// it has one, and else when the log was received.
func TestTimeOfARecordIsReckonedFromItsReport(t *testing.T) {
	own := received.Add(-time.Hour)
	for name, c := range map[string]struct {
		version uint8
		epoch   time.Time
		report  time.Time // zero if no time can be told
	}{
		"the device's own":       {4, own, own},
		"a device without one":   {4, time.UnixMicro(0), received},
		"a header without one":   {3, time.UnixMicro(0), received},
		"no ticks in the header": {1, time.UnixMicro(0), time.Time{}},
	} {
		l, _, err := format.ParseLog(logRecord(t, 1, c.version, 1, say(1), say(2), say(3)).Payload)
		if err != nil {
			t.Fatal(err)
		}
		l.SetEpoch(uint64(c.epoch.UnixMicro()))
		clock := newClock(l, received)

		for i := range 3 {
			at, uptime := clock.next(32768)
			wantUptime := 98 + float64(i) // the report is at 100 s, each frame a second behind the last
			var want uint64
			if c.report.IsZero() {
				wantUptime = -1
			} else {
				want = uint64(c.report.Add(time.Duration(i-2) * time.Second).UnixNano())
			}
			if at != want || uptime != wantUptime {
				t.Errorf("%s: frame %d is at %d ns and %v s, want %d and %v", name, i, at, uptime, want, wantUptime)
			}
		}
	}
}
