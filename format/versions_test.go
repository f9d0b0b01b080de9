package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// withEpoch returns a version 4 log with the frames of a version 3 log, as the
// vendor's library lays it out (case log-v4).
func withEpoch(t *testing.T, epochUs uint64) []byte {
	t.Helper()
	for _, v := range logVectors(t) {
		if v.Header.Version != 3 {
			continue
		}
		l, _, err := ParseLog(v.Buffer)
		if err != nil {
			t.Fatal(err)
		}
		tick, rate, _ := l.Clock()
		b := binary.LittleEndian.AppendUint32([]byte{4}, l.SessionToken())
		b = binary.LittleEndian.AppendUint32(b, tick)
		b = binary.LittleEndian.AppendUint32(b, rate)
		b = binary.LittleEndian.AppendUint64(b, epochUs)
		b = binary.LittleEndian.AppendUint16(b, l.LenData())
		b = binary.LittleEndian.AppendUint16(b, l.Checksum())
		return append(b, l.Data()...)
	}
	t.Fatal("got no vector of version 3, want one")
	return nil
}

// What is patched into a header is read back, and the checksum stays right.
func TestPatchedHeaderKeepsItsChecksum(t *testing.T) {
	for _, epoch := range []uint64{1_732_829_000_000_000, 0} {
		b := withEpoch(t, epoch)
		if err := CheckLog(b); err != nil {
			t.Fatalf("epoch %d: %v", epoch, err)
		}
		l, _, err := ParseLog(b)
		if err != nil {
			t.Fatal(err)
		}
		if us, ok := l.Epoch(); us != epoch || !ok {
			t.Errorf("got epoch %d, %v, want %d", us, ok, epoch)
		}

		l.SetSessionToken(5)
		if !l.SetEpoch(1 << 63) {
			t.Error("got no epoch in version 4, want one")
		}
		if us, _ := l.Epoch(); us != 1<<63 || l.SessionToken() != 5 || CheckLog(b) != nil {
			t.Errorf("got epoch %d, token %d, %v, want %d, 5 and a good log", us, l.SessionToken(), CheckLog(b), uint64(1)<<63)
		}
		if b[1] != 5 || b[20] != 0x80 {
			t.Errorf("got header % x, want the token at 1 and the epoch at 13", b[:25])
		}
	}
	for _, v := range logVectors(t) {
		l, _, err := ParseLog(v.Buffer)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Clone(v.Buffer)
		if ok := l.SetEpoch(7); ok != (v.Header.EpochTimeUs != nil) || !ok && !bytes.Equal(before, v.Buffer) {
			t.Errorf("%s: got SetEpoch %v, want it where the header has an epoch, and no byte changed elsewhere", v.Name, ok)
		}
	}
}

// The token lies at the same place in every version, so that one can be written
// into a log whose version is not known.
func TestTokenLiesAtOnePlaceInEveryVersion(t *testing.T) {
	for i := range logLayouts {
		if at := logLayouts[i].ofsSessionToken; at != ofsToken {
			t.Errorf("version %d: got the token at %d, want %d", logLayouts[i].version, at, ofsToken)
		}
	}

	b := []byte{99, 1, 2, 3, 4, 5}
	if err := SetSessionToken(b, 0x0a0b0c0d); err != nil || !bytes.Equal(b, []byte{99, 0x0d, 0x0c, 0x0b, 0x0a, 5}) {
		t.Errorf("got % x, error %v, want the token in bytes 1 to 4, and no error", b, err)
	}

	for n := range 5 {
		short := bytes.Repeat([]byte{99}, n)
		if err := SetSessionToken(short, 1); !errors.Is(err, ErrShort) || bytes.Count(short, []byte{99}) != n {
			t.Errorf("%d bytes: got % x, %v, want ErrShort and no change", n, short, err)
		}
		before, after := AroundSessionToken(short)
		if len(before) != n || len(after) != 0 {
			t.Errorf("%d bytes: got % x and % x around the token, want all before it", n, before, after)
		}
	}

	before, after := AroundSessionToken(b)
	if !bytes.Equal(before, []byte{99}) || !bytes.Equal(after, []byte{5}) {
		t.Errorf("got % x and % x around the token, want 63 and 05", before, after)
	}
}

// Bytes that are no frame may end the data of a version 4 log, and bytes may
// follow it (case log-v4, b4t): they are told, and no record is lost.
func TestTrailingBytesAreToldAndLoseNothing(t *testing.T) {
	good := withEpoch(t, 1)
	l, _, err := ParseLog(good)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for range framesOf(l) {
		want++
	}

	for name, trailer := range map[string][]byte{
		"one byte": {7}, "a counter": {0x40, 0x1f, 0, 0, 0, 0, 0, 0}, "zeros": make([]byte, 16), "ones": bytes.Repeat([]byte{255}, 12),
	} {
		inside := append(bytes.Clone(good), trailer...)
		h, data, err := ParseHeader(inside)
		if err != nil {
			t.Fatal(err)
		}
		h.SetLenData(uint16(len(data)))
		h.Seal(data)
		if err := CheckLog(inside); !errors.Is(err, ErrTrailing) {
			t.Errorf("%s in the data: got %v, want ErrTrailing", name, err)
		}
		l, rest, err := ParseLog(inside)
		if err != nil || len(rest) > 0 || l.Verify() != nil {
			t.Fatalf("%s in the data: got %v, %d bytes left, %v from Verify, want no error and none left", name, err, len(rest), l.Verify())
		}
		frames, got := l.Frames(), 0
		for frames.Next() {
			got++
		}
		if got != want || !errors.Is(frames.Err(), ErrTrailing) {
			t.Errorf("%s in the data: got %d frames, then %v, want %d, then ErrTrailing", name, got, frames.Err(), want)
		}

		after := append(bytes.Clone(good), trailer...)
		for where, b := range map[string][]byte{"in the data": inside, "after it": after} {
			got, told := 0, 0
			stream := append(bytes.Clone(b), good...)
			for _, e := range decodeAll(&Decoder{}, stream) {
				switch {
				case e.Kind == EventFrame && e.Verified:
					got++
				case e.Kind == EventSkipped:
					told += len(e.Bytes)
				}
			}
			if got != 2*want || told != len(trailer) {
				t.Errorf("%s %s: got %d verified frames and %d bytes told, want %d and %d", name, where, got, told, 2*want, len(trailer))
			}
		}
	}
}

// Frames behind a damaged one are no trailer: they are looked for.
func TestDamageIsNoTrailer(t *testing.T) {
	b := withEpoch(t, 1)
	h, data, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	data[1] = 0xff // the length of the first payload
	h.Seal(data)
	l, _, err := ParseLog(b)
	if err != nil {
		t.Fatal(err)
	}

	frames := l.Frames()
	if frames.Next() || errors.Is(frames.Err(), ErrTrailing) {
		t.Fatalf("got %v, want an error that is not ErrTrailing", frames.Err())
	}
	found := 0
	for _, e := range decodeAll(&Decoder{}, b) {
		if e.Verified {
			t.Errorf("%v at %d: got verified, want not verified", e.Kind, e.Offset)
		}
		if e.Kind == EventFrame {
			found++
		}
	}

	if found < 3 {
		t.Errorf("found %d frames behind the damage, want 3 at least", found)
	}
}

func framesOf(l Log) (out []Frame) {
	frames := l.Frames()
	for frames.Next() {
		out = append(out, frames.Frame())
	}
	return out
}

func decodeAll(d *Decoder, stream []byte) (out []Event) {
	keep := func(e Event) {
		e.Bytes = bytes.Clone(e.Bytes)
		out = append(out, e)
	}
	for e := range d.Feed(stream) {
		keep(e)
	}
	for e := range d.Close() {
		keep(e)
	}
	return out
}
