package text

import (
	"strconv"
	"time"
)

// appendTime appends when r was logged, in the unit that its log has.
func (r *record) appendTime(dst []byte) []byte {
	switch {
	case r.hasTime():
		return r.appendSeconds(dst)
	case r.timed:
		return append(appendUnsigned(dst, r.tick), 't')
	}
	return appendUnsigned(append(dst, '#'), uint64(r.seq))
}

func (r *record) hasTime() bool { return r.rate != 0 || r.seconds != "" }

func (r *record) appendSeconds(dst []byte) []byte {
	switch {
	case r.rate == 0:
		return append(dst, r.seconds...)
	case r.place != nil && r.place.Shift != 0:
		return appendMicros(dst, r.place.Micros(r.tick))
	}
	return appendSeconds(dst, r.tick, r.rate)
}

// time returns when r was logged in seconds of the device, and whether that is
// known.
func (r *record) time() (seconds float64, ok bool) {
	if r.rate != 0 && r.place != nil {
		return float64(r.place.Micros(r.tick)) / 1e6, true
	}
	seconds, err := strconv.ParseFloat(r.seconds, 64)
	return seconds, err == nil
}

// where returns the index of the log of r, the offset of its frame and the boot; -1
// for the first if that is not known.
func (r *record) where() (log, offset, boot int64) {
	switch {
	case r.place != nil:
		return r.log, r.offset, int64(r.place.Boot)
	case r.row != nil && r.row.Log != nil:
		return *r.row.Log, r.row.Offset, r.row.Boot
	}
	return -1, 0, 0
}

// deviceError returns by how many microseconds the device time may be wrong, if that
// is known.
func (r *record) deviceError() (us uint64, ok bool) {
	switch {
	case r.place != nil && r.rate != 0:
		return uint64(r.place.Error()), true
	case r.row != nil && r.row.DeviceError != nil:
		return *r.row.DeviceError, true
	}
	return 0, false
}

// wall returns when r was logged in microseconds since 1970, by how much that may be
// wrong, and whether it is known.
func (r *record) wall() (us, bound int64, ok bool) {
	if r.row != nil {
		return r.row.wall()
	}
	if !r.timed || r.place == nil {
		return 0, 0, false
	}
	return r.place.WallMicros(r.tick)
}

// appendWall appends a time in microseconds since 1970.
func appendWall(dst []byte, us int64) []byte {
	return time.UnixMicro(us).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
}

// appendMicros appends microseconds as seconds with six decimals.
func appendMicros(dst []byte, us int64) []byte {
	if us < 0 {
		dst, us = append(dst, '-'), -us
	}
	return appendSeconds(dst, uint64(us), 1_000_000)
}

// appendSeconds appends a number of ticks as seconds with six decimals, cut
// rather than rounded, so that two ticks never swap.
func appendSeconds(dst []byte, tick uint64, rate uint32) []byte {
	whole, rest := tick/uint64(rate), tick%uint64(rate)
	dst = append(appendUnsigned(dst, whole), '.')
	micros := uint32(rest * 1_000_000 / uint64(rate))
	a, b, c := micros/10_000*2, micros/100%100*2, micros%100*2
	return append(dst, digitPairs[a], digitPairs[a+1], digitPairs[b], digitPairs[b+1], digitPairs[c], digitPairs[c+1])
}
