package bench

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/google/gopacket"

	"github.com/ulogkit/ulogkit/format"
)

// The peers of BenchmarkWalk. All but walkBinary use our checksum, so that the
// ratios are those of decoding.

var (
	layerLog    = gopacket.RegisterLayerType(7301, gopacket.LayerTypeMetadata{Name: "bench log"})
	layerFrame  = gopacket.RegisterLayerType(7302, gopacket.LayerTypeMetadata{Name: "bench frame"})
	layerRecord = gopacket.RegisterLayerType(7303, gopacket.LayerTypeMetadata{Name: "bench record"})
	errLayer    = errors.New("layer is cut short")
)

// baseLayer is what gopacket's own layers embed.
type baseLayer struct{ contents, payload []byte }

func (l *baseLayer) LayerPayload() []byte { return l.payload }

// logLayer, frameLayer and recordLayer are written as gopacket's own layers
// are: DecodeFromBytes fills the fields of a struct that is used again for the
// next packet. The frames of a log are layers on each other.
type logLayer struct {
	baseLayer
	headerV3
}

func (l *logLayer) CanDecode() gopacket.LayerClass    { return layerLog }
func (l *logLayer) NextLayerType() gopacket.LayerType { return layerFrame }

func (l *logLayer) DecodeFromBytes(b []byte, feedback gopacket.DecodeFeedback) error {
	if len(b) < 17 {
		feedback.SetTruncated()
		return errLayer
	}
	l.headerV3 = headerV3{
		Version:      b[0],
		SessionToken: binary.LittleEndian.Uint32(b[1:5]),
		Tick:         binary.LittleEndian.Uint32(b[5:9]),
		TickRateHz:   binary.LittleEndian.Uint32(b[9:13]),
		LenData:      binary.LittleEndian.Uint16(b[13:15]),
		Checksum:     binary.LittleEndian.Uint16(b[15:17]),
	}
	if l.Version != 3 || len(b)-17 < int(l.LenData) {
		return errLayer
	}
	l.baseLayer = baseLayer{b[:17], b[17 : 17+int(l.LenData)]}
	if uint16(format.XOR8(l.payload)) != l.Checksum {
		return format.ErrChecksum
	}
	return nil
}

type frameLayer struct {
	baseLayer
	LenPayload uint16
	TickDelta  uint32
}

func (l *frameLayer) CanDecode() gopacket.LayerClass    { return layerFrame }
func (l *frameLayer) NextLayerType() gopacket.LayerType { return layerRecord }

func (l *frameLayer) DecodeFromBytes(b []byte, feedback gopacket.DecodeFeedback) error {
	if len(b) < 6 {
		feedback.SetTruncated()
		return errLayer
	}
	l.LenPayload = binary.LittleEndian.Uint16(b[0:2])
	l.TickDelta = binary.LittleEndian.Uint32(b[2:6])
	if len(b)-6 < int(l.LenPayload) {
		feedback.SetTruncated()
		return errLayer
	}
	l.baseLayer = baseLayer{b[:6], b[6:]}
	return nil
}

// recordArg is one argument of a recordLayer.
type recordArg struct {
	Type  uint8
	Int   int64
	Uint  uint64
	Float float64
	Text  []byte
}

type recordLayer struct {
	baseLayer
	Level   uint8
	Module  uint8
	FmtAddr uint32
	Args    []recordArg

	frame *frameLayer // tells where the record ends
	tally *tally
}

func (l *recordLayer) CanDecode() gopacket.LayerClass    { return layerRecord }
func (l *recordLayer) NextLayerType() gopacket.LayerType { return layerFrame }

func (l *recordLayer) DecodeFromBytes(b []byte, feedback gopacket.DecodeFeedback) error {
	l.baseLayer = baseLayer{b[:l.frame.LenPayload], b[l.frame.LenPayload:]}
	b = l.contents
	if len(b) < 6 || len(b) < 6+int(b[5]) {
		feedback.SetTruncated()
		return errLayer
	}

	l.Level, l.Module = b[0]>>5, b[0]&0x1f
	l.FmtAddr = binary.LittleEndian.Uint32(b[1:5])
	types, rest := b[6:6+int(b[5])], b[6+int(b[5]):]
	l.Args = l.Args[:0]
	for _, packed := range types {
		n := int(packed & 0x0f)
		if len(rest) < n {
			feedback.SetTruncated()
			return errLayer
		}

		arg := recordArg{Type: packed >> 4}
		switch n {
		case 0:
		case 1:
			arg.Uint, arg.Int = uint64(rest[0]), int64(int8(rest[0]))
		case 2:
			x := binary.LittleEndian.Uint16(rest)
			arg.Uint, arg.Int = uint64(x), int64(int16(x))
		case 4:
			x := binary.LittleEndian.Uint32(rest)
			arg.Uint, arg.Int = uint64(x), int64(int32(x))
		case 8:
			x := binary.LittleEndian.Uint64(rest)
			arg.Uint, arg.Int, arg.Float = x, int64(x), math.Float64frombits(x)
		default:
			return errLayer
		}

		rest = rest[n:]
		l.Args = append(l.Args, arg)
	}

	if len(rest) > 4 {
		rest = rest[4:]
		for i := range l.Args {
			if l.Args[i].Type != 8 || len(rest) < 2 {
				continue
			}
			n := 2 + int(binary.LittleEndian.Uint16(rest))
			if len(rest) < n {
				feedback.SetTruncated()
				return errLayer
			}
			l.Args[i].Text, rest = rest[2:n], rest[n:]
		}
	}

	l.count()
	return nil
}

// count does for the layer what tally.add does for our views.
func (l *recordLayer) count() {
	l.tally.frames++
	l.tally.levels[l.Level]++
	l.tally.ticks += uint64(l.frame.TickDelta)
	for i := range l.Args {
		switch arg := &l.Args[i]; arg.Type {
		case 1, 3:
			l.tally.sum += arg.Int
		case 2, 4:
			l.tally.sum += int64(arg.Uint)
		}
	}
}

func newWalkGopacket() func(b []byte, t *tally) error {
	var log logLayer
	var frame frameLayer
	record := recordLayer{frame: &frame}
	parser := gopacket.NewDecodingLayerParser(layerLog, &log, &frame, &record)
	decoded := make([]gopacket.LayerType, 0, 16384)
	return func(b []byte, t *tally) error {
		*t = tally{}
		record.tally = t
		return parser.DecodeLayers(b, &decoded)
	}
}

// logViewLayer and frameViewLayer put our views behind gopacket's parser, which
// shows what the parser alone costs.
type logViewLayer struct{ log format.Log }

func (l *logViewLayer) CanDecode() gopacket.LayerClass    { return layerLog }
func (l *logViewLayer) NextLayerType() gopacket.LayerType { return layerFrame }
func (l *logViewLayer) LayerPayload() []byte              { return l.log.Data() }

func (l *logViewLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) (err error) {
	if l.log, _, err = format.ParseLog(b); err != nil {
		return err
	}
	return l.log.Verify()
}

type frameViewLayer struct {
	log   *logViewLayer
	tally *tally
	rest  []byte
}

func (l *frameViewLayer) CanDecode() gopacket.LayerClass    { return layerFrame }
func (l *frameViewLayer) NextLayerType() gopacket.LayerType { return layerFrame }
func (l *frameViewLayer) LayerPayload() []byte              { return l.rest }

func (l *frameViewLayer) DecodeFromBytes(b []byte, _ gopacket.DecodeFeedback) error {
	frame, rest, err := l.log.log.ParseFrame(b)
	if err != nil {
		return err
	}
	p, err := format.ParsePayload(frame.Payload)
	if err != nil {
		return err
	}
	l.rest = rest
	l.tally.add(frame.TickDelta, p)
	return nil
}

func newWalkGopacketViews() func(b []byte, t *tally) error {
	var log logViewLayer
	frame := frameViewLayer{log: &log}
	parser := gopacket.NewDecodingLayerParser(layerLog, &log, &frame)
	decoded := make([]gopacket.LayerType, 0, 8192)
	return func(b []byte, t *tally) error {
		*t = tally{}
		frame.tally = t
		return parser.DecodeLayers(b, &decoded)
	}
}

// walkBinary reads the log as a program on encoding/binary would.
func walkBinary(b []byte, t *tally) error {
	*t = tally{}
	var head headerV3
	n, err := binary.Decode(b, binary.LittleEndian, &head)
	if err != nil {
		return err
	}

	data := b[n:][:head.LenData]
	if naiveXOR8(data) != uint8(head.Checksum) {
		return format.ErrChecksum
	}

	for len(data) > 0 {
		var frame struct {
			LenPayload uint16
			TickDelta  uint32
		}

		if n, err = binary.Decode(data, binary.LittleEndian, &frame); err != nil {
			return err
		}
		payload := data[n:][:frame.LenPayload]
		data = data[n+int(frame.LenPayload):]
		var record struct {
			ModuleLevel uint8
			FmtAddr     uint32
			NumArgs     uint8
		}

		if n, err = binary.Decode(payload, binary.LittleEndian, &record); err != nil {
			return err
		}
		t.frames++
		t.levels[record.ModuleLevel>>5]++
		t.ticks += uint64(frame.TickDelta)
		types := payload[n:][:record.NumArgs]
		values := payload[n+len(types):]
		for _, packed := range types {
			size := packed & 15
			var x int64
			switch {
			case packed>>4 == 1 || packed>>4 == 3:
				x, err = decodeSigned(values[:size])
			case packed>>4 == 2 || packed>>4 == 4:
				x, err = decodeUnsigned(values[:size])
			}
			if err != nil {
				return err
			}
			t.sum += x
			values = values[size:]
		}
	}

	return nil
}

func decodeSigned(b []byte) (int64, error) {
	switch len(b) {
	case 1:
		var x int8
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	case 2:
		var x int16
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	case 4:
		var x int32
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	}
	var x int64
	_, err := binary.Decode(b, binary.LittleEndian, &x)
	return x, err
}

func decodeUnsigned(b []byte) (int64, error) {
	switch len(b) {
	case 1:
		var x uint8
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	case 2:
		var x uint16
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	case 4:
		var x uint32
		_, err := binary.Decode(b, binary.LittleEndian, &x)
		return int64(x), err
	}
	var x uint64
	_, err := binary.Decode(b, binary.LittleEndian, &x)
	return int64(x), err
}
