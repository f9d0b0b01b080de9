package wire

import "github.com/google/gopacket"

// The layer types of this package. Gopacket asks applications to use numbers
// from 1000 to 1999; the first is MQTT's TCP port.
//
// Whoever uses gopacket.NewPacket says with layers.RegisterTCPPortLayerType which
// of the first three is to be found on a port: LayerTypeMQTT finds out the
// version from each segment alone, the other two are told. [Versions] remembers
// it for each connection.
var (
	LayerTypeMQTT     = registerMQTT(1883, "MQTT", 0)
	LayerTypeMQTT311  = registerMQTT(1884, "MQTT311", Version311)
	LayerTypeMQTT5    = registerMQTT(1885, "MQTT5", Version5)
	LayerTypeLog      = register(numberLog, "ULoggerLog", func() decoder { return new(Log) })
	LayerTypeFrame    = register(1887, "ULoggerFrame", func() decoder { return new(Frame) })
	LayerTypeCoreDump = register(1888, "ULoggerCoreDump", func() decoder { return new(CoreDump) })
	LayerTypeChunk    = register(1889, "ULoggerChunk", func() decoder { return new(Chunk) })
)

const numberLog = 1886

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
func register(number int, name string, newLayer func() decoder) gopacket.LayerType {
	return gopacket.RegisterLayerType(number, gopacket.LayerTypeMetadata{
		Name: name,
		Decoder: gopacket.DecodeFunc(func(data []byte, p gopacket.PacketBuilder) error {
			return addLayers(p, newLayer, data)
		}),
	})
}

// addLayers adds a layer to a packet, and those in it.
func addLayers(p gopacket.PacketBuilder, newLayer func() decoder, data []byte) error {
	for {
		layer := newLayer()
		if frame, ok := layer.(*Frame); ok {
			frame.Log = logOf(p)
		}

		if err := layer.DecodeFromBytes(data, p); err != nil {
			return err
		}
		p.AddLayer(layer)
		data = layer.LayerPayload()
		switch layer.(type) {
		case *Log, *Frame:
			newLayer = func() decoder { return new(Frame) }
		default:
			if len(data) > 0 {
				payload := gopacket.Payload(data)
				p.AddLayer(&payload)
			}
			return nil
		}

		if len(data) == 0 {
			return nil
		}
	}
}
