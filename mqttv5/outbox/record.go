package outbox

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// record is one entry of the outbox.
//
// On disk, little-endian (the file's own order is bbolt's):
//
//	 0  4  magic "ulr1", or "ulr2" of a record that a Submitter accepted
//	 4  4  CRC-32C of everything from offset 8
//	 8  8  sequence number, the key in the file
//	16  8  identity of the outbox
//	24  8  time it was accepted, ms since 1970
//	32  8  the outbox's own clock when it was accepted, ms
//	40  4  application id
//	44  4  length of the payload
//	48  1  kind
//	49  4  lengths of serial, type, version, git hash
//	53 16  with "ulr2": the Submitter's identity and its sequence number
//	       the four strings, then the payload
//
// The magic and the sums let salvage find records in a file whose structure is
// lost.
type record struct {
	Record
	seq      uint64
	outbox   uint64
	accepted int64
	clock    int64
	origin   origin // of a Submitter's
}

// origin is who gave a record its id, where that was not the outbox: a Submitter of
// this identity, and its sequence number. The zero value is nobody.
type origin struct{ identity, seq uint64 }

const (
	recordHead = 53
	originSize = 16
	maxRecord  = recordHead + originSize + 4*255 + payload.Max // the largest, in bytes
)

var (
	recordMagic = []byte("ulr") // and a digit
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)

	errRecord = errors.New("record is damaged")
)

// id is the record id that goes along with every copy that is sent.
func (r *record) id() string {
	if r.origin != (origin{}) {
		return recordID(r.origin.identity, r.origin.seq)
	}
	return recordID(r.outbox, r.seq)
}

func recordID(outbox, seq uint64) string { return fmt.Sprintf("%016x-%d", outbox, seq) }

func (r *record) time() time.Time { return time.UnixMilli(r.accepted) }

// size returns the length of the record on disk.
func (r *record) size() int {
	d := &r.Device
	n := recordHead + len(d.DeviceSerial) + len(d.DeviceType) + len(d.GitVersion) + len(d.GitHash) + len(r.Payload)
	if r.origin != (origin{}) {
		n += originSize
	}
	return n
}

// encode returns the record as it lies on disk: head with a CRC-32C, names, payload.
func (r *record) encode() []byte {
	d := &r.Device
	b := make([]byte, recordHead, r.size())
	copy(b, "ulr1")
	le := binary.LittleEndian
	le.PutUint64(b[8:], r.seq)
	le.PutUint64(b[16:], r.outbox)
	le.PutUint64(b[24:], uint64(r.accepted))
	le.PutUint64(b[32:], uint64(r.clock))
	le.PutUint32(b[40:], d.ApplicationID)
	le.PutUint32(b[44:], uint32(len(r.Payload)))
	b[48] = byte(r.Kind)
	if r.origin != (origin{}) {
		copy(b, "ulr2")
		b = le.AppendUint64(le.AppendUint64(b, r.origin.identity), r.origin.seq)
	}

	for i, s := range [...]string{d.DeviceSerial, d.DeviceType, d.GitVersion, d.GitHash} {
		b[49+i] = byte(len(s)) // at most 64, by Validate
		b = append(b, s...)
	}

	b = append(b, r.Payload...)
	le.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// headSize returns the length of what precedes the strings of a record, if b can
// begin with one.
func headSize(b []byte) (int, bool) {
	n := recordHead
	switch {
	case len(b) < recordHead:
		return 0, false
	case string(b[:4]) == "ulr1":
	case string(b[:4]) == "ulr2":
		n += originSize
	default:
		return 0, false
	}
	return n, len(b) >= n
}

// recordSize returns the length of the record that b begins with, if b can begin
// with one.
func recordSize(b []byte) (int, bool) {
	n, ok := headSize(b)
	if !ok {
		return 0, false
	}
	n += int(b[49]) + int(b[50]) + int(b[51]) + int(b[52])
	length := binary.LittleEndian.Uint32(b[44:])
	if length > payload.Max {
		return 0, false
	}
	n += int(length)
	return n, n <= len(b)
}

// decodeRecord reads a record that fills b. Its payload is a copy.
func decodeRecord(b []byte) (*record, error) {
	n, ok := recordSize(b)
	if !ok || n != len(b) {
		return nil, errRecord
	}

	le := binary.LittleEndian
	if le.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli) {
		return nil, fmt.Errorf("%w: checksum is 0x%08x, computed is 0x%08x", errRecord, le.Uint32(b[4:]), crc32.Checksum(b[8:], castagnoli))
	}
	r := &record{
		seq: le.Uint64(b[8:]), outbox: le.Uint64(b[16:]),
		accepted: int64(le.Uint64(b[24:])), clock: int64(le.Uint64(b[32:])),
	}
	r.Kind = Kind(b[48])
	r.Device.ApplicationID = le.Uint32(b[40:])
	head, _ := headSize(b)
	if head > recordHead {
		r.origin = origin{le.Uint64(b[recordHead:]), le.Uint64(b[recordHead+8:])}
		if r.origin == (origin{}) {
			return nil, fmt.Errorf("%w: it has no origin", errRecord)
		}
	}

	rest := b[head:]
	for i, s := range [...]*string{&r.Device.DeviceSerial, &r.Device.DeviceType, &r.Device.GitVersion, &r.Device.GitHash} {
		n := int(b[49+i])
		*s, rest = string(rest[:n]), rest[n:]
	}

	r.Payload = bytes.Clone(rest)
	if r.Kind < Log || r.Kind > Events {
		return nil, fmt.Errorf("%w: unknown %v", errRecord, r.Kind)
	}
	return r, nil
}

// recordAt decodes what is filed under a key.
func recordAt(k, v []byte) (*record, error) {
	r, err := decodeRecord(v)
	if err == nil && (len(k) != 8 || r.seq != binary.BigEndian.Uint64(k)) {
		return nil, fmt.Errorf("%w: it is filed under another number", errRecord)
	}
	return r, err
}

// carve calls f with each intact record in a stream of bytes.
func carve(r io.Reader, f func([]byte) error) error {
	in := bufio.NewReaderSize(r, 2*maxRecord)
	for {
		b, err := in.Peek(2 * maxRecord)
		if len(b) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}

		at := bytes.Index(b, recordMagic)
		if at < 0 {
			in.Discard(max(1, len(b)-len(recordMagic)+1))
			continue
		}
		in.Discard(at)
		b, _ = in.Peek(maxRecord)
		n, ok := recordSize(b)
		if ok {
			_, err := decodeRecord(b[:n])
			ok = err == nil
		}
		if !ok {
			in.Discard(1)
			continue
		}
		if err := f(b[:n]); err != nil {
			return err
		}

		in.Discard(n)
	}
}
