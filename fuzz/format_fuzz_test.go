package fuzz

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// addSeeds adds the good samples and the bad input of some types to a target.
func addSeeds(f *testing.F, types ...string) {
	f.Helper()
	for _, typ := range types {
		for _, b := range readSeeds(f, typ) {
			f.Add(b)
		}
		dir := filepath.Join("testdata", "bad", typ)
		if _, err := os.Stat(dir); err == nil {
			for _, b := range readFolder(f, dir) {
				f.Add(b)
			}
		}
	}
}

// fuzzTypes makes a target of some types: format and the interpreter agree on
// any bytes, and format stays within its limits.
func fuzzTypes(f *testing.F, types ...string) {
	f.Helper()
	addSeeds(f, types...)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range types {
			differ(t, typ, b)
		}
		within(t, parserLimits, len(b), func() { parseAll(b) })
	})
}

// FuzzTypes takes any bytes for any type of the spec.
func FuzzTypes(f *testing.F) {
	var all []string
	for _, typ := range ulogger.Types {
		all = append(all, typ.ID)
	}
	fuzzTypes(f, all...)
}

// FuzzLog is about binary logs.
func FuzzLog(f *testing.F) {
	fuzzTypes(f, "log", "log_v1", "log_v3", "frames_v1", "frames_v3", "payload")
}

// FuzzCoreDump is about crash dumps.
func FuzzCoreDump(f *testing.F) { fuzzTypes(f, "core_dump", "crash_catcher", "memory_region") }

// FuzzDeviceInfo is about what a device says of itself.
func FuzzDeviceInfo(f *testing.F) { fuzzTypes(f, "device_info") }

// FuzzLogConfig is about what a device is told to log.
func FuzzLogConfig(f *testing.F) { fuzzTypes(f, "log_config") }

// parseAll reads b in every way that format knows, to the last argument.
func parseAll(b []byte) {
	if l, _, err := format.ParseLog(b); err == nil {
		_ = l.Verify()
		frames := l.Frames()
		for frames.Next() {
			readPayload(frames.Frame().Payload)
		}
	}
	readPayload(b)
	if d, _, err := format.ParseCoreDump(b); err == nil {
		_ = d.Verify()
		readCrash(d.Crash)
	}
	readCrash(b)
	_, _, _ = format.ParseDeviceInfo(b)
	_, _, _ = format.ParseLogConfig(b)
	_, _, _ = format.ParseChunk(b)
	_, _, _ = format.ParseChunkAck(b)
}

func readPayload(b []byte) {
	p, err := format.ParsePayload(b)
	if err != nil {
		return
	}
	args := p.Args()
	for args.Next() {
		_ = args.Arg().Uint()
		_ = args.Arg().Text()
	}
	for range p.Strings() {
	}
}

func readCrash(b []byte) {
	if c, err := format.ParseCrashCatcher(b); err == nil {
		for range c.Regions() {
		}
		_ = c.FaultRegisters()
	}
}

// FuzzChunkStream feeds a transfer with chunks, each after a byte that tells its
// length, and compares with a model that remembers every byte.
func FuzzChunkStream(f *testing.F) {
	for _, b := range readSeeds(f, "chunk") {
		f.Add(append([]byte{byte(len(b))}, b...))
	}
	f.Add([]byte{6, 0, 0, 4, 0, 'a', 'b', 6, 2, 0, 4, 0, 'c', 'd'})                             // whole
	f.Add([]byte{6, 0, 0, 4, 0, 'a', 'b', 6, 0, 0, 4, 0, 'a', 'b', 6, 2, 0, 4, 0, 'c', 'd'})    // first one twice
	f.Add([]byte{6, 2, 0, 4, 0, 'c', 'd', 6, 0, 0, 4, 0, 'a', 'b', 6, 2, 0, 9, 0, 'c', 'd'})    // out of order, wrong total
	f.Add([]byte{6, 0, 0, 1, 0, 'a', 'b', 4, 0, 0, 1, 0, 5, 0, 0, 1, 0, 'x', 5, 1, 0, 1, 0, 0}) // overrun, empty, after the end
	f.Add([]byte{5, 0, 0, 1, 0, 'a', 4, 1, 0, 1, 0})                                            // empty, at the end of a complete one

	f.Fuzz(func(t *testing.T, b []byte) {
		differ(t, "chunk", b)
		var transfer format.Transfer
		model := transferModel{}
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			piece := b[1 : 1+n]
			b = b[1+n:]
			differ(t, "chunk", piece)
			c, _, err := format.ParseChunk(piece)
			if err != nil {
				continue
			}
			model.add(t, &transfer, c)
		}
	})
}

// transferModel says what a transfer has to be after each chunk: its bytes are
// those of chunks that each began where the one before ended, since the last at
// offset 0, all of one total length. It is complete once: an empty chunk at its
// end is one too many.
type transferModel struct {
	data  []byte
	total int
}

func (m *transferModel) add(t testing.TB, transfer *format.Transfer, c format.Chunk) {
	t.Helper()
	status, whole := transfer.Add(c)
	fits := int(c.Offset)+len(c.Data) <= int(c.LenTotal)
	taken := false
	switch {
	case fits && c.Offset == 0:
		m.data, m.total, taken = append([]byte(nil), c.Data...), int(c.LenTotal), true
	case fits && int(c.LenTotal) == m.total && int(c.Offset) == len(m.data) && len(m.data) < m.total:
		m.data, taken = append(m.data, c.Data...), true
	}

	complete := taken && len(m.data) == m.total
	if int(transfer.Next()) != len(m.data) {
		t.Errorf("after %+v: got the next offset %d, want %d", c, transfer.Next(), len(m.data))
	}
	if complete != (status == format.ChunkCompleted) || complete != (whole != nil) {
		t.Errorf("after %+v: got status %v with %d bytes, want a complete transfer: %v", c, status, len(whole), complete)
	}

	if complete {
		sameBytes(t, "transfer", whole, m.data)
	}
	if accepted := status <= format.ChunkCompleted; accepted != taken || status == 0 {
		t.Errorf("chunk %+v: got status %v, want it taken: %v", c, status, taken)
	}
}

// FuzzSpec is about spec files: any bytes give a spec or errors that lie within
// the file, and by a spec any bytes can be read.
func FuzzSpec(f *testing.F) {
	f.Add(spec.Source)
	f.Add([]byte(smallSpec))
	for _, b := range readFolder(f, filepath.Join("testdata", "bad", "spec")) {
		f.Add(b)
	}
	sample := []byte("\x03\x00\x00\x00\x01\x00\x00\x00abc\x00\xff\xff\xff\xff\x01\x02\x03\x04\x05\x06\x07\x08")
	f.Fuzz(func(t *testing.T, src []byte) {
		var s *spec.Spec
		within(t, specLimits, len(src), func() { s = parseSpec(t, src) })
		if s == nil {
			return
		}
		for _, typ := range s.Types {
			for n := range len(sample) {
				_, _, _ = readType(s, typ.ID, sample[:n], false)
			}
		}
	})
}
