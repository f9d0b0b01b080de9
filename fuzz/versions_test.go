package fuzz

import (
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// headerVersion is one case of the spec's type log, with the types of its parts.
type headerVersion struct {
	number                     uint8
	log, header, frames, frame *spec.Type
}

// versions are the header versions of the spec. Tests go by this list, so that a
// version that is added to the spec is tested without a change here.
var versions = func() (out []headerVersion) {
	for _, c := range ulogger.Type("log").Seq[0].Type.Cases {
		n, _ := spec.Const(c.Value)
		log := c.Type.User
		frames := log.Seq[1].Type.User
		out = append(out, headerVersion{uint8(n.Uint64()), log, log.Seq[0].Type.User, frames, frames.Seq[0].Type.User})
	}
	return out
}()

// versionNumbers are the numbers of the versions.
func versionNumbers() (out []uint8) {
	for _, v := range versions {
		out = append(out, v.number)
	}
	return out
}

// frameHeader is the type of the header of the version's frames.
func (v headerVersion) frameHeader() *spec.Type { return v.frame.Seq[0].Type.User }

// offsetOf returns where a field lies in a type that consists of integers.
func offsetOf(t testing.TB, typ *spec.Type, id string) (at int) {
	t.Helper()
	for _, a := range typ.Seq {
		if a.ID == id {
			return at
		}
		at += a.Type.Width
	}
	t.Fatalf("%s has no field %s", typ.ID, id)
	return 0
}

// withData returns a log of the version whose data are any bytes, sealed.
func (v headerVersion) withData(t interface{ Fatal(...any) }, data []byte) []byte {
	builder, err := format.NewLogBuilder(v.number)
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := format.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	h.SetLenData(uint16(len(data)))
	h.Seal(data)
	return append(b, data...)
}

// TestBuilderKnowsTheVersionsOfTheSpec makes sure that a builder knows every version
// of the spec and no other.
func TestBuilderKnowsTheVersionsOfTheSpec(t *testing.T) {
	known := map[uint8]bool{}
	for _, v := range versions {
		known[v.number] = true
	}
	for n := range 256 {
		if _, err := format.NewLogBuilder(uint8(n)); (err == nil) != known[uint8(n)] {
			t.Errorf("version %d: got error %v, want one: %v", n, err, !known[uint8(n)])
		}
	}
	if len(known) < 3 {
		t.Errorf("got %d versions, want 3 at least", len(known))
	}
}

// frameOf returns the first version whose frames are of the type.
func frameOf(id string) headerVersion {
	for _, v := range versions {
		if v.frame.ID == id {
			return v
		}
	}
	panic("no frames are of type " + id) // a mistake in a test
}

// parse reads a frame of the version and returns what follows it.
func (v headerVersion) parse(b []byte) (rest []byte, err error) {
	h, _, err := format.ParseHeader(append([]byte{v.number}, make([]byte, v.header.Size-1)...))
	if err == nil {
		_, rest, err = h.ParseFrame(b)
	}
	return rest, err
}

// manualOf returns the comparison of a type that belongs to a version: a whole
// log, its header, a list of frames, one of them, or the header of one.
func manualOf(id string) func(t testing.TB, b []byte) {
	for _, v := range versions {
		switch id {
		case v.log.ID:
			return func(t testing.TB, b []byte) { differLogOf(t, v, b) }
		case v.header.ID:
			return func(t testing.TB, b []byte) { differHeader(t, v, b) }
		case v.frames.ID:
			return func(t testing.TB, b []byte) { differFrames(t, v, b) }
		case v.frame.ID:
			return func(t testing.TB, b []byte) { differFrame(t, v, b) }
		case v.frameHeader().ID:
			return func(t testing.TB, b []byte) { differFrameHeader(t, v, b) }
		}
	}
	return nil
}

// differLogOf compares ParseLog with the type of one version. What begins with
// the number of another is refused by the type.
func differLogOf(t testing.TB, v headerVersion, b []byte) {
	t.Helper()
	tree, failed := interpret(ulogger, v.log.ID, nil, b, true)
	if !v.is(t, b, failed) {
		return
	}
	l, rest, err := format.ParseLog(b)
	if !agreeOnFailure(t, v.log.ID, b, err, failed) || err != nil {
		return
	}
	sameHeader(t, l.Header, tree.kid("header"))
	sameBytes(t, v.log.ID+": data", l.Data(), tree.kid("data").raw)
	sameBytes(t, v.log.ID+": rest", rest, b[tree.end:])
	if (l.Verify() == nil) != sealed(tree) {
		t.Errorf("%s: got error %v of Verify, want one: %v", v.log.ID, l.Verify(), !sealed(tree))
	}
}

// is reports whether b begins with the number of the version. Of another number
// the interpreter must have failed.
func (v headerVersion) is(t testing.TB, b []byte, failed *failure) bool {
	t.Helper()
	if len(b) > 0 && b[0] == v.number {
		return true
	}
	if len(b) >= v.header.Size && (failed == nil || failed.typ != v.header.ID || failed.field != "version") {
		t.Errorf("%s: got %v from the interpreter on version %d, want a failure of the field version", v.header.ID, failed, b[0])
	}
	return false
}

// differHeader compares ParseHeader with the header of one version.
func differHeader(t testing.TB, v headerVersion, b []byte) {
	t.Helper()
	tree, failed := interpret(ulogger, v.header.ID, nil, b, true)
	if !v.is(t, b, failed) {
		return
	}
	h, rest, err := format.ParseHeader(b)
	if !agreeOnFailure(t, v.header.ID, b, err, failed) || err != nil {
		return
	}
	sameHeader(t, h, tree)
	sameBytes(t, v.header.ID+": rest", rest, b[tree.end:])
}

// sameHeader compares what a header tells, whatever its version, with the fields
// that the interpreter has read. Fields of no method are left out.
func sameHeader(t testing.TB, h format.Header, head *node) {
	t.Helper()
	tick, rate, hasClock := h.Clock()
	epoch, hasEpoch := h.Epoch()
	sequence, hasSequence := h.Sequence()
	for id, got := range map[string]struct {
		value uint64
		there bool
	}{
		"version": {uint64(h.Version()), true}, "session_token": {uint64(h.SessionToken()), true},
		"len_data": {uint64(h.LenData()), true}, "checksum": {uint64(h.Checksum()), true},
		"tick": {uint64(tick), hasClock}, "tick_rate_hz": {uint64(rate), hasClock},
		"epoch_time_us": {epoch, hasEpoch}, "sequence": {uint64(sequence), hasSequence},
	} {
		want := head.kid(id)
		if got.there != (want != nil) || want != nil && want.n.Uint64() != got.value {
			t.Errorf("%s.%s: got %d, %v, want %v", head.typ.ID, id, got.value, got.there, want)
		}
	}
	sameBytes(t, head.typ.ID, h.Bytes(), head.io.b[head.start-head.io.base:head.end-head.io.base])
}

// differFrameHeader compares the header of the first frame of any bytes. A good one
// gets a payload of as many bytes as it says.
func differFrameHeader(t testing.TB, v headerVersion, b []byte) {
	t.Helper()
	id := v.frameHeader().ID
	tree, failed := interpret(ulogger, id, nil, b, true)
	size := 0
	if failed == nil {
		size = int(tree.kid("len_payload").n.Uint64())
		b = append(b[:tree.end:tree.end], make([]byte, size)...)
	}
	h, _, err := format.ParseHeader(v.withData(t, nil))
	if err != nil {
		t.Fatal(err)
	}

	f, rest, err := h.ParseFrame(b)
	if !agreeOnFailure(t, id, b, err, failed) || err != nil {
		return
	}
	if len(f.Payload) != size || len(rest) != 0 {
		t.Errorf("%s: got a payload of %d bytes and %d after it, want one of %d", id, len(f.Payload), len(rest), size)
	}
	sameFrameHeader(t, f, tree)
	back, err := h.AppendFrame(nil, f)
	if err != nil {
		t.Errorf("%s: what was read cannot be written: %v", id, err)
	}
	sameBytes(t, id+": written back", back, b)
}

// differFrame compares the first frame of any bytes.
func differFrame(t testing.TB, v headerVersion, b []byte) {
	t.Helper()
	id := v.frame.ID
	tree, failed := interpret(ulogger, id, nil, b, true)
	h, _, err := format.ParseHeader(v.withData(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	f, rest, err := h.ParseFrame(b)
	if !agreeOnFailure(t, id, b, err, failed) || err != nil {
		return
	}
	sameFrame(t, f, tree)
	sameBytes(t, id+": rest", rest, b[tree.end:])
	back, err := h.AppendFrame(nil, f)
	if err != nil {
		t.Errorf("%s: what was read cannot be written: %v", id, err)
	}
	sameBytes(t, id+": written back", back, b[:tree.end])
}

// sameFrame compares a frame with the interpreter's.
func sameFrame(t testing.TB, f format.Frame, want *node) {
	t.Helper()
	sameBytes(t, want.typ.ID+": payload", f.Payload, want.kid("payload").raw)
	sameFrameHeader(t, f, want.kid("header"))
}

// sameFrameHeader compares what a frame tells of its header with the interpreter's.
func sameFrameHeader(t testing.TB, f format.Frame, want *node) {
	t.Helper()
	for id, got := range map[string]uint64{"sequence": uint64(f.Sequence), "tick_delta": uint64(f.TickDelta)} {
		number := uint64(0)
		if n := want.kid(id); n != nil {
			number = n.n.Uint64()
		}
		if got != number {
			t.Errorf("%s.%s: got %d, want %d", want.typ.ID, id, got, number)
		}
	}
}
