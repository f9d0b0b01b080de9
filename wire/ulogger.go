package wire

import (
	"encoding/binary"
	"math"

	"github.com/ulogkit/ulogkit/format"
)

// Log is the layer of a log's header. The frames are its payload.
//
// Source: FORMAT section 1.
type Log struct {
	BaseLayer

	// V1 or V3 is the header, by its version; the other is nil.
	V1 *format.HeaderV1
	V3 *format.HeaderV3

	Rest []byte // what follows the log and belongs to none
}

// DecodeFromBytes reads the header that data begins with. It does not verify
// the checksum.
func (l *Log) DecodeFromBytes(data []byte, df DecodeFeedback) error {
	*l = Log{}
	log, rest, err := format.ParseLog(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	l.V1, l.V3 = log.HeaderV1(), log.HeaderV3()
	l.Payload, l.Rest = log.Data(), rest
	n := len(log.Bytes()) - len(l.Payload)
	l.Contents = data[:n:n]
	return nil
}

// SerializeTo writes the header before the bytes in b. FixLengths sets the
// length and ComputeChecksums the checksum in what is written; the header that
// V1 or V3 points to stays as it is.
func (l *Log) SerializeTo(b SerializeBuffer, opts SerializeOptions) error {
	data := b.Bytes()
	if opts.FixLengths && len(data) > math.MaxUint16 {
		return errLogTooLong
	}
	if (l.V1 == nil) == (l.V3 == nil) {
		return errLogHeader
	}
	if l.V1 != nil {
		h := *l.V1
		h.SetVersion(1)
		if opts.FixLengths {
			h.SetLenData(uint16(len(data)))
		}
		if int(h.LenData()) != len(data) {
			return errLogLength
		}
		if opts.ComputeChecksums {
			format.LogV1{Header: &h, Data: data}.Seal()
		}
		return prepend(b, h[:])
	}
	h := *l.V3
	h.SetVersion(3)
	if opts.FixLengths {
		h.SetLenData(uint16(len(data)))
	}
	if int(h.LenData()) != len(data) {
		return errLogLength
	}
	if opts.ComputeChecksums {
		format.LogV3{Header: &h, Data: data}.Seal()
	}
	return prepend(b, h[:])
}

var (
	errLogTooLong  = &format.Error{Type: "log", Field: "data", Offset: -1, Err: format.ErrTooLong}
	errLogHeader   = &format.Error{Type: "log", Field: "header", Offset: 0, Err: format.ErrValue}
	errLogLength   = &format.Error{Type: "log", Field: "header.len_data", Offset: -1, Err: format.ErrLength}
	errCoreTooLong = &format.Error{Type: "core_dump", Field: "crash", Offset: -1, Err: format.ErrTooLong}
	errCoreLength  = &format.Error{Type: "core_dump", Field: "header.len_total", Offset: 0, Err: format.ErrLength}
	errCoreHeader  = &format.Error{Type: "core_dump", Field: "header", Offset: 0, Err: format.ErrValue}
)

// prependView writes a view before the bytes in b, unless a reader would refuse
// it.
func prependView(b SerializeBuffer, v interface{ AppendTo([]byte) ([]byte, error) }) error {
	head, err := v.AppendTo(nil)
	if err != nil {
		return err
	}
	return prepend(b, head)
}

func prepend(b SerializeBuffer, head []byte) error {
	out, err := b.PrependBytes(len(head))
	if err != nil {
		return err
	}
	copy(out, head)
	return nil
}

// LayerType returns LayerTypeLog.
func (l *Log) LayerType() LayerType { return LayerTypeLog }

// CanDecode returns LayerTypeLog.
func (l *Log) CanDecode() LayerClass { return LayerTypeLog }

// NextLayerType returns the type of the log's frames.
func (l *Log) NextLayerType() LayerType {
	if l.V1 != nil {
		return LayerTypeFrameV1
	}
	return LayerTypeFrameV3
}

// FrameV1 is the layer of one frame of a version 1 log. The frames after it
// are its payload, as frames have no layer around them but the log.
//
// Source: FORMAT section 2.
type FrameV1 struct {
	BaseLayer

	Sequence uint16 // frames since boot, wraps at 65536
	Record   []byte // for format.ParsePayload
}

// DecodeFromBytes reads the frame that data begins with.
func (f *FrameV1) DecodeFromBytes(data []byte, df DecodeFeedback) error {
	*f = FrameV1{}
	v, rest, err := format.ParseFrameV1(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	n := len(data) - len(rest)
	f.Sequence, f.Record = v.Header.Sequence(), v.Payload
	f.Contents, f.Payload = data[:n:n], rest
	return nil
}

// SerializeTo writes the frame, header and record, before the bytes in b.
func (f *FrameV1) SerializeTo(b SerializeBuffer, _ SerializeOptions) error {
	var h format.FrameHeaderV1
	h.SetLenPayload(uint16(min(len(f.Record), math.MaxUint16))) // more than a frame can hold, which AppendTo refuses
	h.SetSequence(f.Sequence)
	return prependView(b, format.FrameV1{Header: &h, Payload: f.Record})
}

// LayerType returns LayerTypeFrameV1.
func (f *FrameV1) LayerType() LayerType { return LayerTypeFrameV1 }

// CanDecode returns LayerTypeFrameV1.
func (f *FrameV1) CanDecode() LayerClass { return LayerTypeFrameV1 }

// NextLayerType returns LayerTypeFrameV1.
func (f *FrameV1) NextLayerType() LayerType { return LayerTypeFrameV1 }

// FrameV3 is the layer of one frame of a version 3 log. The frames after it
// are its payload, as frames have no layer around them but the log.
//
// Source: FORMAT section 2.
type FrameV3 struct {
	BaseLayer

	TickDelta uint32 // in device ticks since the previous frame
	Record    []byte // for format.ParsePayload
}

// DecodeFromBytes reads the frame that data begins with.
func (f *FrameV3) DecodeFromBytes(data []byte, df DecodeFeedback) error {
	*f = FrameV3{}
	v, rest, err := format.ParseFrameV3(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	n := len(data) - len(rest)
	f.TickDelta, f.Record = v.Header.TickDelta(), v.Payload
	f.Contents, f.Payload = data[:n:n], rest
	return nil
}

// SerializeTo writes the frame, header and record, before the bytes in b.
func (f *FrameV3) SerializeTo(b SerializeBuffer, _ SerializeOptions) error {
	var h format.FrameHeaderV3
	h.SetLenPayload(uint16(min(len(f.Record), math.MaxUint16))) // more than a frame can hold, which AppendTo refuses
	h.SetTickDelta(f.TickDelta)
	return prependView(b, format.FrameV3{Header: &h, Payload: f.Record})
}

// LayerType returns LayerTypeFrameV3.
func (f *FrameV3) LayerType() LayerType { return LayerTypeFrameV3 }

// CanDecode returns LayerTypeFrameV3.
func (f *FrameV3) CanDecode() LayerClass { return LayerTypeFrameV3 }

// NextLayerType returns LayerTypeFrameV3.
func (f *FrameV3) NextLayerType() LayerType { return LayerTypeFrameV3 }

// CoreDump is the layer of a crash dump's header. CrashCatcher's dump is its
// payload, for format.ParseCrashCatcher.
//
// Source: FORMAT section 3.
type CoreDump struct {
	BaseLayer

	Header *format.CoreDumpHeader
	Rest   []byte // what follows the dump and belongs to none
}

// DecodeFromBytes reads the header that data begins with. It does not verify
// the checksum.
func (d *CoreDump) DecodeFromBytes(data []byte, df DecodeFeedback) error {
	*d = CoreDump{}
	v, rest, err := format.ParseCoreDump(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	d.Header, d.Payload, d.Rest = v.Header, v.Crash, rest
	d.Contents = data[:format.CoreDumpHeaderSize:format.CoreDumpHeaderSize]
	return nil
}

// SerializeTo writes the header before the bytes in b. FixLengths sets the
// length and ComputeChecksums the checksum in what is written; Header stays as
// it is.
func (d *CoreDump) SerializeTo(b SerializeBuffer, opts SerializeOptions) error {
	if d.Header == nil {
		return errCoreHeader
	}
	crash := b.Bytes()
	if opts.FixLengths && uint64(len(crash)) > math.MaxUint32-format.CoreDumpHeaderSize {
		return errCoreTooLong
	}
	h := *d.Header
	if opts.FixLengths {
		h.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(crash)))
	}
	if int64(h.LenTotal()) != int64(format.CoreDumpHeaderSize+len(crash)) {
		return errCoreLength
	}
	if opts.ComputeChecksums {
		format.CoreDump{Header: &h, Crash: crash}.Seal()
	}
	return prependView(b, &h)
}

// LayerType returns LayerTypeCoreDump.
func (d *CoreDump) LayerType() LayerType { return LayerTypeCoreDump }

// CanDecode returns LayerTypeCoreDump.
func (d *CoreDump) CanDecode() LayerClass { return LayerTypeCoreDump }

// NextLayerType returns LayerTypePayload.
func (d *CoreDump) NextLayerType() LayerType { return LayerTypePayload }

// Chunk is the layer of one BLE notification: a piece of a log or crash dump,
// which is its payload.
//
// Source: FORMAT section 4.
type Chunk struct {
	BaseLayer

	Offset   uint16 // of the piece, in bytes from the start of the transfer
	LenTotal uint16 // of the transfer, in bytes
}

// chunkHeaderSize is the length in bytes of a chunk without its piece.
const chunkHeaderSize = 4

// DecodeFromBytes reads the chunk that is the whole of data.
func (c *Chunk) DecodeFromBytes(data []byte, df DecodeFeedback) error {
	*c = Chunk{}
	v, _, err := format.ParseChunk(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	c.Offset, c.LenTotal = v.Offset, v.LenTotal
	c.Contents, c.Payload = data[:chunkHeaderSize:chunkHeaderSize], v.Data
	return nil
}

// SerializeTo writes the chunk's header before the bytes in b.
func (c *Chunk) SerializeTo(b SerializeBuffer, _ SerializeOptions) error {
	var head [chunkHeaderSize]byte
	binary.LittleEndian.PutUint16(head[:], c.Offset)
	binary.LittleEndian.PutUint16(head[2:], c.LenTotal)
	if _, _, err := format.ParseChunk(head[:]); err != nil {
		return err
	}
	return prepend(b, head[:])
}

// LayerType returns LayerTypeChunk.
func (c *Chunk) LayerType() LayerType { return LayerTypeChunk }

// CanDecode returns LayerTypeChunk.
func (c *Chunk) CanDecode() LayerClass { return LayerTypeChunk }

// NextLayerType returns LayerTypePayload.
func (c *Chunk) NextLayerType() LayerType { return LayerTypePayload }
