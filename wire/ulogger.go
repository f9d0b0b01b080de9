package wire

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/ulogkit/ulogkit/format"
)

// Log is the layer of a log's header. The frames are its payload.
//
// Source: FORMAT section 1.
type Log struct {
	layers.BaseLayer

	Header format.Header
	Rest   []byte // what follows the log and belongs to none
}

// DecodeFromBytes reads the header that data begins with. It does not verify
// the checksum.
func (l *Log) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	*l = Log{}
	log, rest, err := format.ParseLog(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	l.Header = log.Header
	l.Payload, l.Rest = log.Data(), rest
	n := len(log.Bytes()) - len(l.Payload)
	l.Contents = data[:n:n]
	return nil
}

// SerializeTo writes the header before the bytes in b. FixLengths sets the
// length and ComputeChecksums the checksum in what is written; Header stays as it
// is.
func (l *Log) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
	data := b.Bytes()
	if opts.FixLengths && len(data) > math.MaxUint16 {
		return errLogTooLong
	}
	head := bytes.Clone(l.Header.Bytes())
	h, _, err := format.ParseHeader(head)
	if err != nil {
		return errLogHeader
	}
	if opts.FixLengths {
		h.SetLenData(uint16(len(data)))
	}
	if int(h.LenData()) != len(data) {
		return errLogLength
	}
	if opts.ComputeChecksums {
		h.Seal(data)
	}
	return prepend(b, head)
}

var (
	errLogTooLong  = &format.Error{Type: "log", Field: "data", Offset: -1, Err: format.ErrTooLong}
	errLogHeader   = &format.Error{Type: "log", Field: "header", Offset: 0, Err: format.ErrValue}
	errLogLength   = &format.Error{Type: "log", Field: "header.len_data", Offset: -1, Err: format.ErrLength}
	errFrameLog    = &format.Error{Type: "frame", Field: "log", Offset: -1, Err: format.ErrValue}
	errCoreTooLong = &format.Error{Type: "core_dump", Field: "crash", Offset: -1, Err: format.ErrTooLong}
	errCoreLength  = &format.Error{Type: "core_dump", Field: "header.len_total", Offset: 0, Err: format.ErrLength}
	errCoreHeader  = &format.Error{Type: "core_dump", Field: "header", Offset: 0, Err: format.ErrValue}
)

// prependView writes a view before the bytes in b, unless a reader would refuse
// it.
func prependView(b gopacket.SerializeBuffer, v interface{ AppendTo([]byte) ([]byte, error) }) error {
	head, err := v.AppendTo(nil)
	if err != nil {
		return err
	}
	return prepend(b, head)
}

func prepend(b gopacket.SerializeBuffer, head []byte) error {
	out, err := b.PrependBytes(len(head))
	if err != nil {
		return err
	}
	copy(out, head)
	return nil
}

// LayerType returns LayerTypeLog.
func (l *Log) LayerType() gopacket.LayerType { return LayerTypeLog }

// CanDecode returns LayerTypeLog.
func (l *Log) CanDecode() gopacket.LayerClass { return LayerTypeLog }

// NextLayerType returns LayerTypeFrame.
func (l *Log) NextLayerType() gopacket.LayerType { return LayerTypeFrame }

// Frame is the layer of one frame of a log. The frames after it are its payload,
// as frames have no layer around them but the log.
//
// Source: FORMAT section 2.
type Frame struct {
	layers.BaseLayer

	Log *Log // that it lies in, whose header says how frames are made; set it before decoding

	Sequence  uint16 // frames since boot, wraps at 65536; 0 where frames have none
	TickDelta uint32 // in device ticks since the previous frame; 0 where frames have none
	Record    []byte // for format.ParsePayload
}

// DecodeFromBytes reads the frame that data begins with.
func (f *Frame) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	*f = Frame{Log: f.Log}
	if f.Log == nil {
		return errFrameLog
	}
	v, rest, err := f.Log.Header.ParseFrame(data)
	if err != nil {
		df.SetTruncated()
		return err
	}
	n := len(data) - len(rest)
	f.Sequence, f.TickDelta, f.Record = v.Sequence, v.TickDelta, v.Payload
	f.Contents, f.Payload = data[:n:n], rest
	return nil
}

// SerializeTo writes the frame, header and record, before the bytes in b.
func (f *Frame) SerializeTo(b gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	if f.Log == nil {
		return errFrameLog
	}
	frame, err := f.Log.Header.AppendFrame(nil, format.Frame{Sequence: f.Sequence, TickDelta: f.TickDelta, Payload: f.Record})
	if err != nil {
		return err
	}
	return prepend(b, frame)
}

// LayerType returns LayerTypeFrame.
func (f *Frame) LayerType() gopacket.LayerType { return LayerTypeFrame }

// CanDecode returns LayerTypeFrame.
func (f *Frame) CanDecode() gopacket.LayerClass { return LayerTypeFrame }

// NextLayerType returns LayerTypeFrame.
func (f *Frame) NextLayerType() gopacket.LayerType { return LayerTypeFrame }

// CoreDump is the layer of a crash dump's header. CrashCatcher's dump is its
// payload, for format.ParseCrashCatcher.
//
// Source: FORMAT section 3.
type CoreDump struct {
	layers.BaseLayer

	Header *format.CoreDumpHeader
	Rest   []byte // what follows the dump and belongs to none
}

// DecodeFromBytes reads the header that data begins with. It does not verify
// the checksum.
func (d *CoreDump) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
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
func (d *CoreDump) SerializeTo(b gopacket.SerializeBuffer, opts gopacket.SerializeOptions) error {
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
func (d *CoreDump) LayerType() gopacket.LayerType { return LayerTypeCoreDump }

// CanDecode returns LayerTypeCoreDump.
func (d *CoreDump) CanDecode() gopacket.LayerClass { return LayerTypeCoreDump }

// NextLayerType returns gopacket.LayerTypePayload.
func (d *CoreDump) NextLayerType() gopacket.LayerType { return gopacket.LayerTypePayload }

// Chunk is the layer of one BLE notification: a piece of a log or crash dump,
// which is its payload.
//
// Source: FORMAT section 4.
type Chunk struct {
	layers.BaseLayer

	Offset   uint16 // of the piece, in bytes from the start of the transfer
	LenTotal uint16 // of the transfer, in bytes
}

// chunkHeaderSize is the length in bytes of a chunk without its piece.
const chunkHeaderSize = 4

// DecodeFromBytes reads the chunk that is the whole of data.
func (c *Chunk) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
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
func (c *Chunk) SerializeTo(b gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	var head [chunkHeaderSize]byte
	binary.LittleEndian.PutUint16(head[:], c.Offset)
	binary.LittleEndian.PutUint16(head[2:], c.LenTotal)
	if _, _, err := format.ParseChunk(head[:]); err != nil {
		return err
	}
	return prepend(b, head[:])
}

// LayerType returns LayerTypeChunk.
func (c *Chunk) LayerType() gopacket.LayerType { return LayerTypeChunk }

// CanDecode returns LayerTypeChunk.
func (c *Chunk) CanDecode() gopacket.LayerClass { return LayerTypeChunk }

// NextLayerType returns gopacket.LayerTypePayload.
func (c *Chunk) NextLayerType() gopacket.LayerType { return gopacket.LayerTypePayload }
