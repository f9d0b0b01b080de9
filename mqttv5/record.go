package mqttv5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// RecordKind is what a record in the outbox holds.
type RecordKind uint8

// Kinds of records.
const (
	RecordLog      RecordKind = 1 // a binary log; its session token is written when it is sent
	RecordCoreDump RecordKind = 2
	RecordText     RecordKind = 3 // a batch of text logs
)

// String returns "log", "core-dump" or "text".
func (k RecordKind) String() string {
	switch k {
	case RecordLog:
		return "log"
	case RecordCoreDump:
		return "core-dump"
	case RecordText:
		return "text"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// record is one entry of the outbox.
//
// On disk, little-endian (the file's own order is bbolt's):
//
//	 0  4  magic "ulr1"
//	 4  4  CRC-32C of everything from offset 8
//	 8  8  sequence number, the key in the file
//	16  8  identity of the outbox
//	24  8  time it was accepted, ms since 1970
//	32  8  the outbox's own clock when it was accepted, ms
//	40  4  application id
//	44  4  length of the payload
//	48  1  kind
//	49  4  lengths of serial, type, version, git hash
//	53     the four strings, then the payload
//
// The magic and the sums let salvage find records in a file whose structure is
// lost.
type record struct {
	seq      uint64
	outbox   uint64
	accepted int64
	clock    int64
	kind     RecordKind
	device   DeviceInfo
	payload  []byte
}

const recordHead = 53

var (
	recordMagic = []byte("ulr1")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)

	errRecord = errors.New("record is damaged")
)

// id is the record id that goes along with every copy that is sent.
func (r *record) id() string { return recordID(r.outbox, r.seq) }

func recordID(outbox, seq uint64) string { return fmt.Sprintf("%016x-%d", outbox, seq) }

func (r *record) time() time.Time { return time.UnixMilli(r.accepted) }

func (r *record) encode() []byte {
	d := &r.device
	b := make([]byte, recordHead, recordHead+len(d.DeviceSerial)+len(d.DeviceType)+len(d.GitVersion)+len(d.GitHash)+len(r.payload))
	copy(b, recordMagic)
	le := binary.LittleEndian
	le.PutUint64(b[8:], r.seq)
	le.PutUint64(b[16:], r.outbox)
	le.PutUint64(b[24:], uint64(r.accepted))
	le.PutUint64(b[32:], uint64(r.clock))
	le.PutUint32(b[40:], d.ApplicationID)
	le.PutUint32(b[44:], uint32(len(r.payload)))
	b[48] = byte(r.kind)
	for i, s := range [...]string{d.DeviceSerial, d.DeviceType, d.GitVersion, d.GitHash} {
		b[49+i] = byte(len(s)) // at most 64, by Validate
		b = append(b, s...)
	}
	b = append(b, r.payload...)
	le.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// recordSize returns the length of the record that b begins with, if b can begin
// with one.
func recordSize(b []byte) (int, bool) {
	if len(b) < recordHead || !bytes.Equal(b[:4], recordMagic) {
		return 0, false
	}
	n := recordHead + int(b[49]) + int(b[50]) + int(b[51]) + int(b[52])
	payload := binary.LittleEndian.Uint32(b[44:])
	if payload > DefaultMaxMessage {
		return 0, false
	}
	n += int(payload)
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
		kind: RecordKind(b[48]),
	}
	r.device.ApplicationID = le.Uint32(b[40:])
	rest := b[recordHead:]
	for i, s := range [...]*string{&r.device.DeviceSerial, &r.device.DeviceType, &r.device.GitVersion, &r.device.GitHash} {
		n := int(b[49+i])
		*s, rest = string(rest[:n]), rest[n:]
	}
	r.payload = bytes.Clone(rest)
	if r.kind < RecordLog || r.kind > RecordText {
		return nil, fmt.Errorf("%w: unknown %v", errRecord, r.kind)
	}
	return r, nil
}
