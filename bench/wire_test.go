package bench

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	paho "github.com/eclipse/paho.golang/packets"
	"github.com/google/gopacket"
	mochi "github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/wire"
)

// mqttPublish returns a PUBLISH at QoS 1 with a payload of size bytes.
func mqttPublish(tb testing.TB, size int) []byte {
	tb.Helper()
	m := wire.MQTT{Type: wire.PacketPublish, QoS: 1, PacketID: 7, Topic: []byte("binlog/v0/customer/application"), Payload: bytes.Repeat([]byte{0xa5}, size)}
	b, err := m.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// mqttDecoder reads one PUBLISH and returns its topic's and payload's length.
type mqttDecoder struct {
	name string
	run  func(b []byte) (topic, payload int, err error)
}

func mqttDecoders() []mqttDecoder {
	return []mqttDecoder{
		{"wire", newDecodeMQTT()},
		{"wire-parser", newDecodeMQTTParser()},
		{"paho", decodePaho},
		{"mochi", decodeMochi},
	}
}

// newDecodeMQTT uses the layer alone.
func newDecodeMQTT() func([]byte) (int, int, error) {
	var m wire.MQTT
	return func(b []byte) (int, int, error) {
		err := m.DecodeFromBytes(b, gopacket.NilDecodeFeedback)
		return len(m.Topic), len(m.Payload), err
	}
}

// newDecodeMQTTParser uses the layer under gopacket's parser.
func newDecodeMQTTParser() func([]byte) (int, int, error) {
	var m wire.MQTT
	p := gopacket.NewDecodingLayerParser(wire.LayerTypeMQTT, &m)
	p.IgnorePanic, p.IgnoreUnsupported = true, true
	decoded := make([]gopacket.LayerType, 0, 4)
	return func(b []byte) (int, int, error) {
		err := p.DecodeLayers(b, &decoded)
		return len(m.Topic), len(m.Payload), err
	}
}

func decodePaho(b []byte) (int, int, error) {
	p, err := paho.ReadPacket(bytes.NewReader(b))
	if err != nil {
		return 0, 0, err
	}
	publish, ok := p.Content.(*paho.Publish)
	if !ok {
		return 0, 0, fmt.Errorf("a %v", p.PacketType())
	}
	return len(publish.Topic), len(publish.Payload), nil
}

func decodeMochi(b []byte) (int, int, error) {
	p := mochi.Packet{ProtocolVersion: 5, FixedHeader: mochi.FixedHeader{Qos: 1}}
	n, err := wire.PacketLen(b)
	if err != nil {
		return 0, 0, err
	}
	head := 1
	for b[head]&0x80 != 0 {
		head++
	}
	p.FixedHeader.Remaining = n - head - 1
	err = p.PublishDecode(b[head+1:])
	return len(p.TopicName), len(p.Payload), err
}

// BenchmarkMQTT reads one PUBLISH.
func BenchmarkMQTT(b *testing.B) {
	for _, impl := range mqttDecoders() {
		for _, size := range []int{64, 1024, 65536} {
			b.Run(fmt.Sprintf("impl=%s/size=%d", impl.name, size), func(b *testing.B) {
				packet := mqttPublish(b, size)
				b.SetBytes(int64(len(packet)))
				b.ReportAllocs()
				for b.Loop() {
					if topic, payload, err := impl.run(packet); err != nil || topic != 30 || payload != size {
						b.Fatalf("got a topic of %d, a payload of %d bytes, error %v, want 30, %d and no error", topic, payload, err, size)
					}
				}
			})
		}
	}
}

// The layer costs no allocation, on its own and under gopacket's parser.
func TestMQTTLayerAllocatesNothing(t *testing.T) {
	good := mqttPublish(t, 65536)
	for name, packet := range map[string][]byte{"good": good, "cut": good[:100], "empty": nil, "bad topic": changed(good, 6, 0)} {
		for _, impl := range mqttDecoders()[:2] {
			if n := testing.AllocsPerRun(10, func() { _, _, _ = impl.run(packet) }); n != 0 {
				t.Errorf("%s, %s: got %v allocations, want none", impl.name, name, n)
			}
		}
	}
}

// tappedUploads returns a capture file in which a client publishes n logs.
func tappedUploads(tb testing.TB, n int) (file []byte) {
	tb.Helper()
	var out bytes.Buffer
	tap, err := wire.NewTap(&out)
	if err != nil {
		tb.Fatal(err)
	}

	c := tap.Client(discardConn{})
	connect, err := (&wire.MQTT{Type: wire.PacketConnect}).AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}
	upload := wire.MQTT{Type: wire.PacketPublish, QoS: 1, PacketID: 7, Topic: []byte("binlog/v0/customer/application"), Payload: realisticLog(tb)}
	packet, err := upload.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}

	for _, b := range append([][]byte{connect}, slices.Repeat([][]byte{packet}, n)...) {
		if _, err := c.Write(b); err != nil {
			tb.Fatal(err)
		}
	}

	if err := tap.Close(); err != nil {
		tb.Fatal(err)
	}

	return out.Bytes()
}

// BenchmarkCapture reads logs of 64 KiB out of a capture file and verifies them.
func BenchmarkCapture(b *testing.B) {
	const logs = 32
	file := tappedUploads(b, logs)

	b.Run("impl=wire/size=65535", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		b.ReportAllocs()
		for b.Loop() {
			c, err := wire.NewCapture(bytes.NewReader(file), wire.CaptureConfig{})
			if err != nil {
				b.Fatal(err)
			}
			good := 0
			for m := range c.All() {
				if m.Kind == wire.KindLog && m.Err == nil {
					good++
				}
			}
			if good != logs || c.Err() != nil {
				b.Fatalf("got %d logs, error %v, want %d and no error", good, c.Err(), logs)
			}
		}
		b.ReportMetric(float64(logs)*float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	})
}

// captureFiles returns what captures are read for the comparison with tshark:
// logs of 64 KiB, and small messages. They are long enough for a program's start
// not to count.
func captureFiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	return map[string][]byte{"logs": tappedUploads(tb, 512), "small": tappedMessages(tb, 40_000)}
}

// tappedMessages returns a capture file in which a client publishes n values.
func tappedMessages(tb testing.TB, n int) []byte {
	tb.Helper()
	var out bytes.Buffer
	tap, err := wire.NewTap(&out)
	if err != nil {
		tb.Fatal(err)
	}

	c := tap.Client(discardConn{})
	for i := range n + 1 {
		m := wire.MQTT{Type: wire.PacketConnect}
		if i > 0 {
			m = wire.MQTT{Type: wire.PacketPublish, QoS: 1, PacketID: uint16(i%60000) + 1, Topic: []byte("sensors/plant/line/temperature"), Payload: fmt.Appendf(nil, `{"t":21.5,"h":40,"n":%d}`, i)}
		}
		b, err := m.AppendTo(nil)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			tb.Fatal(err)
		}
	}

	if err := tap.Close(); err != nil {
		tb.Fatal(err)
	}

	return out.Bytes()
}

// BenchmarkCaptureFile reads a capture file down to topic, packet identifier and
// payload of each publish, as a program and as tshark do.
func BenchmarkCaptureFile(b *testing.B) {
	for kind, file := range captureFiles(b) {
		name := filepath.Join(b.TempDir(), kind)
		if err := os.WriteFile(name, file, 0o600); err != nil {
			b.Fatal(err)
		}

		b.Run("impl=wire/file="+kind, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			var line []byte
			for b.Loop() {
				f, err := os.Open(name)
				if err != nil {
					b.Fatal(err)
				}
				c, err := wire.NewCapture(f, wire.CaptureConfig{})
				if err != nil {
					b.Fatal(err)
				}

				for m := range c.All() {
					if m.Packet == wire.PacketPublish {
						line = fmt.Appendf(line[:0], "%s\t%d\t", m.Topic, m.PacketID)
						line = append(hex.AppendEncode(line, m.Payload), '\n')
						io.Discard.Write(line)
					}
				}

				if stats := c.Stats(); c.Err() != nil || !stats.Lossless() {
					b.Fatalf("got %+v, error %v, want a capture without loss and no error", stats, c.Err())
				}
				f.Close()
			}
		})

		b.Run("impl=tshark/file="+kind, func(b *testing.B) {
			if _, err := exec.LookPath("tshark"); err != nil {
				b.Skip("tshark is missing")
			}
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				cmd := exec.Command("tshark", "-r", name, "-Y", "mqtt", "-T", "fields", "-e", "mqtt.topic", "-e", "mqtt.msgid", "-e", "mqtt.msg")
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTap writes publishes of 64 KiB through a connection that is tapped.
func BenchmarkTap(b *testing.B) {
	packet := mqttPublish(b, 65536)
	b.Run("impl=wire/size=65536", func(b *testing.B) {
		tap, err := wire.NewTap(io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		c := tap.Client(discardConn{})

		// The first one makes room for all the others.
		if _, err := c.Write(packet); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(packet)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(packet); err != nil {
				b.Fatal(err)
			}
		}

		if err := tap.Close(); err != nil {
			b.Fatal(err)
		}
	})
}

// discardConn is a connection to nobody.
type discardConn struct{ net.Conn }

func (discardConn) Write(b []byte) (int, error) { return len(b), nil }
func (discardConn) LocalAddr() net.Addr         { return nil }
func (discardConn) RemoteAddr() net.Addr        { return nil }
