package wire

import "github.com/google/gopacket"

// Gopacket's types under their own names, so that the other files of this
// package and its callers need not import it.
type (
	DecodeFeedback   = gopacket.DecodeFeedback
	LayerType        = gopacket.LayerType
	LayerClass       = gopacket.LayerClass
	SerializeBuffer  = gopacket.SerializeBuffer
	SerializeOptions = gopacket.SerializeOptions
)

// The layer types of this package. Gopacket asks applications to use numbers
// from 1000 to 1999; the first is MQTT's TCP port.
var (
	LayerTypeMQTT     = register(1883, "MQTT", func() decoder { return new(MQTT) })
	LayerTypeLog      = register(numberLog, "ULoggerLog", func() decoder { return new(Log) })
	LayerTypeFrame    = register(1885, "ULoggerFrame", func() decoder { return new(Frame) })
	LayerTypeCoreDump = register(1887, "ULoggerCoreDump", func() decoder { return new(CoreDump) })
	LayerTypeChunk    = register(1888, "ULoggerChunk", func() decoder { return new(Chunk) })
)

const numberLog = 1884

// LayerTypePayload is the type of bytes that nobody decodes further.
var LayerTypePayload = gopacket.LayerTypePayload

// layerTypeNone says that no layer follows.
const layerTypeNone LayerType = 0

// BaseLayer holds the bytes of a layer: Contents are its own, Payload is what the
// layers in it are made of.
type BaseLayer struct {
	Contents, Payload []byte
}

// LayerContents returns Contents.
func (l *BaseLayer) LayerContents() []byte { return l.Contents }

// LayerPayload returns Payload.
func (l *BaseLayer) LayerPayload() []byte { return l.Payload }

// decoder is what every layer of this package is.
type decoder interface {
	gopacket.Layer
	gopacket.DecodingLayer
	gopacket.SerializableLayer
}

// logOf returns the log that has been decoded in a packet; nil where none has.
func logOf(p gopacket.PacketBuilder) *Log {
	if packet, ok := p.(gopacket.Packet); ok {
		log, _ := packet.Layer(numberLog).(*Log)
		return log
	}
	return nil
}

// register makes the layer type known to gopacket.NewPacket too, which, unlike
// a DecodingLayerParser, allocates each layer.
func register(number int, name string, newLayer func() decoder) LayerType {
	return gopacket.RegisterLayerType(number, gopacket.LayerTypeMetadata{
		Name: name,
		Decoder: gopacket.DecodeFunc(func(data []byte, p gopacket.PacketBuilder) error {
			layer := newLayer()
			if frame, ok := layer.(*Frame); ok {
				frame.Log = logOf(p)
			}
			if err := layer.DecodeFromBytes(data, p); err != nil {
				return err
			}
			p.AddLayer(layer)
			if next := layer.NextLayerType(); next != layerTypeNone && len(layer.LayerPayload()) > 0 {
				return p.NextDecoder(next)
			}
			return nil
		}),
	})
}
