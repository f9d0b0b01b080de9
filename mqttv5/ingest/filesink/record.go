package filesink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Layout, see the package doc.
const (
	segmentMagic = "ulogseg1"
	lenMarker    = 8
	segmentHead  = len(segmentMagic) + lenMarker
	recordHead   = 56
	indexEntry   = 8

	// Longest record that is written or believed, in bytes. MQTT packets of
	// workers are bounded far below it.
	maxRecord = 16 << 20

	// Longest reason that is kept, in bytes.
	maxReason = 1 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamaged = errors.New("damaged")

type marker [lenMarker]byte

// checkSize returns the most bytes that a record takes, and refuses what the layout
// cannot hold; MQTT cannot deliver it either.
func checkSize(r *ingest.Record) (int64, error) {
	if len(r.Topic) > math.MaxUint16 || len(r.ID) > math.MaxUint16 {
		return 0, errors.New("topic or record id is longer than 65,535 bytes")
	}
	n := recordHead + len(r.Topic) + len(r.ID) + maxReason + len(r.Payload)
	if n > maxRecord {
		return 0, fmt.Errorf("record of %d bytes, the limit is %d", n, maxRecord)
	}
	return int64(n), nil
}

// appendRecord appends a record that checkSize has passed to dst.
func appendRecord(dst []byte, m marker, seq uint64, r *ingest.Record) []byte {
	reason := r.Reason[:min(len(r.Reason), maxReason)]
	start := len(dst)
	le := binary.LittleEndian
	dst = append(dst, m[:]...)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Payload)))
	dst = le.AppendUint64(dst, seq)
	dst = le.AppendUint64(dst, uint64(r.Time.UnixNano()))
	dst = append(dst, r.Key[:]...)
	dst = le.AppendUint16(dst, uint16(len(r.Topic)))
	dst = le.AppendUint16(dst, uint16(len(r.ID)))
	dst = le.AppendUint16(dst, uint16(len(reason)))
	dst = append(dst, byte(r.Kind), 0)
	dst = append(dst, r.Topic...)
	dst = append(dst, r.ID...)
	dst = append(dst, reason...)
	dst = append(dst, r.Payload...)
	le.PutUint32(dst[start+8:], crc32.Checksum(dst[start+12:], castagnoli))
	return dst
}

// recordSize returns the length of the record whose head is b, and its sequence
// number; false if b is no head.
func recordSize(b []byte, m marker) (size int, seq uint64, ok bool) {
	if len(b) < recordHead || marker(b[:lenMarker]) != m {
		return 0, 0, false
	}
	le := binary.LittleEndian
	payload := le.Uint32(b[12:])
	if payload > maxRecord {
		return 0, 0, false
	}
	size = recordHead + int(payload) + int(le.Uint16(b[48:])) + int(le.Uint16(b[50:])) + int(le.Uint16(b[52:]))
	return size, le.Uint64(b[16:]), size <= maxRecord
}

// intact reports whether b, a record of the size its head says, has the checksum
// that its head says.
func intact(b []byte) bool {
	return binary.LittleEndian.Uint32(b[8:]) == crc32.Checksum(b[12:], castagnoli)
}

// parseRecord reads the record that fills b. The record's payload lies in b.
func parseRecord(b []byte, m marker, seq uint64) (ingest.Record, error) {
	size, got, ok := recordSize(b, m)
	switch {
	case !ok || size != len(b) || got != seq:
		return ingest.Record{}, fmt.Errorf("%w: no record there", errDamaged)
	case !intact(b):
		return ingest.Record{}, fmt.Errorf("%w: checksum differs", errDamaged)
	}
	le := binary.LittleEndian
	r := ingest.Record{Sequence: seq, Time: time.Unix(0, int64(le.Uint64(b[24:]))), Key: ingest.Key(b[32:48]), Kind: ingest.Kind(b[54])}
	rest := b[recordHead:]
	for _, f := range [...]struct {
		s   *string
		off int
	}{{&r.Topic, 48}, {&r.ID, 50}, {&r.Reason, 52}} {
		n := int(le.Uint16(b[f.off:]))
		*f.s, rest = string(rest[:n]), rest[n:]
	}
	r.Payload = rest
	return r, nil
}
