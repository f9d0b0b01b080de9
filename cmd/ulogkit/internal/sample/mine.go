package sample

import "github.com/ulogkit/ulogkit/format"

// Mine reports whether b is a log of the simulated firmware: each of its records is
// of one of its statements. No other firmware has its strings at these places.
func Mine(b []byte) bool {
	l, rest, err := format.ParseLog(b)
	if err != nil || len(rest) > 0 || format.CheckLog(b) != nil {
		return false
	}
	formats := linked().formats
	frames := l.Frames()
	for frames.Next() {
		p, err := format.ParsePayload(frames.Frame().Payload)
		if err != nil {
			return false
		}
		if _, ok := formats[p.FmtAddr()]; !ok {
			return false
		}
	}
	return true
}
