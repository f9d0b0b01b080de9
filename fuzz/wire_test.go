package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/wire"
)

// captureLimits leave room for what reading a capture file takes at all: the
// buffers of file and packet, gopacket's tables.
var captureLimits = limits{perByte: 64, base: 6 << 20, time: time.Minute, perKiB: 200 * time.Millisecond}

// wireSeedDir holds control packets, one a file, each after a byte that is its
// version.
var wireSeedDir = filepath.Join("testdata", "wire", "mqtt")

// makeWireSeeds makes two packets of every type in both versions, one with the
// least and one with the most in it.
func makeWireSeeds(t testing.TB) map[string][]byte {
	t.Helper()
	filters := wire.Filters("\x00\x0bbinlog/v0/#\x01\x00\x01+\x00")
	names := wire.Filters("\x00\x0bbinlog/v0/#\x00\x01+")
	user := func(more string) wire.Properties { return wire.Properties("\x26\x00\x01k\x00\x01v" + more) }
	list := []wire.MQTT{
		{Type: wire.PacketConnect},
		{Type: wire.PacketConnect, Properties: user("\x11\x00\x00\x00\x0a\x21\x00\x14"), Connect: wire.Connect{
			CleanStart: true, KeepAlive: 60, ClientID: []byte("cust-C"), HasWill: true, WillQoS: 1, WillProperties: wire.Properties("\x18\x00\x00\x00\x05"),
			WillTopic: []byte("t"), WillPayload: []byte{0}, HasUsername: true, Username: []byte("u"), HasPassword: true, Password: []byte("p"),
		}},
		{Type: wire.PacketConnack},
		{Type: wire.PacketConnack, SessionPresent: true, ReasonCode: 5, Properties: user("\x12\x00\x01c")},
		{Type: wire.PacketPublish, Topic: []byte("t")},
		{Type: wire.PacketPublish, QoS: 1, Dup: true, Retain: true, PacketID: 7, Topic: []byte("binlog/v0/C/A"), Properties: user("\x23\x00\x01\x0b\x07\x0b\x08"), Payload: readSeeds(t, "log")[0]},
		{Type: wire.PacketPuback, PacketID: 1},
		{Type: wire.PacketPuback, PacketID: 1, ReasonCode: 0x97, Properties: user("\x1f\x00\x01r")},
		{Type: wire.PacketPubrec, PacketID: 1},
		{Type: wire.PacketPubrec, PacketID: 65535, ReasonCode: 0x10, Properties: user("")},
		{Type: wire.PacketPubrel, PacketID: 1},
		{Type: wire.PacketPubrel, PacketID: 65535, ReasonCode: 0x92, Properties: user("")},
		{Type: wire.PacketPubcomp, PacketID: 1},
		{Type: wire.PacketPubcomp, PacketID: 65535, ReasonCode: 0x92, Properties: user("")},
		{Type: wire.PacketSubscribe, PacketID: 2, Filters: filters[:14]},
		{Type: wire.PacketSubscribe, PacketID: 2, Filters: filters, Properties: user("\x0b\x07")},
		{Type: wire.PacketSuback, PacketID: 2, ReasonCodes: []byte{1}},
		{Type: wire.PacketSuback, PacketID: 2, ReasonCodes: []byte{0, 0x80}, Properties: user("")},
		{Type: wire.PacketUnsubscribe, PacketID: 3, Filters: names[:13]},
		{Type: wire.PacketUnsubscribe, PacketID: 3, Filters: names, Properties: user("")},
		{Type: wire.PacketUnsuback, PacketID: 3, ReasonCodes: []byte{0}},
		{Type: wire.PacketUnsuback, PacketID: 3, ReasonCodes: []byte{0, 0x11}, Properties: user("")},
		{Type: wire.PacketPingreq},
		{Type: wire.PacketPingresp},
		{Type: wire.PacketDisconnect},
		{Type: wire.PacketDisconnect, ReasonCode: 0x8e, Properties: user("")},
		{Type: wire.PacketAuth},
		{Type: wire.PacketAuth, ReasonCode: 0x18, Properties: user("\x15\x00\x01m\x16\x00\x01d")},
	}

	files := map[string][]byte{}
	for i, m := range list {
		for _, version := range []uint8{wire.Version31, wire.Version311, wire.Version5} {
			m.Version = version
			b, err := m.AppendTo(nil)
			if m.Type == wire.PacketAuth && version != wire.Version5 {
				continue // there is none
			}
			if err != nil {
				t.Fatalf("%v of version %d: %v", m.Type, version, err)
			}
			files[fmt.Sprintf("%s-%d-%02d.bin", strings.ToLower(m.Type.String()), version, i)] = append([]byte{version}, b...)
		}
	}

	return files
}

// TestWireSeedsAreGoodAndCurrent counts the seeds of every packet type and version
// and makes sure that each is a good sample.
func TestWireSeedsAreGoodAndCurrent(t *testing.T) {
	made := makeWireSeeds(t)
	if *update {
		rewrite(t, wireSeedDir, made)
	}
	count := map[[2]uint8]int{}
	for i, b := range readFolder(t, wireSeedDir) {
		m := wire.MQTT{Version: b[0]}
		if err := m.DecodeFromBytes(b[1:], gopacket.NilDecodeFeedback); err != nil || len(m.Rest) > 0 {
			t.Errorf("seed %d: got error %v, %d bytes left, want a good sample", i, err, len(m.Rest))
		}
		count[[2]uint8{b[0], uint8(m.Type)}]++
	}
	for typ := wire.PacketConnect; typ <= wire.PacketAuth; typ++ {
		for _, version := range []uint8{wire.Version31, wire.Version311, wire.Version5} {
			if n := count[[2]uint8{version, uint8(typ)}]; n == 0 && !(typ == wire.PacketAuth && version != wire.Version5) {
				t.Errorf("%v of version %d: got no seed, want one", typ, version)
			}
		}
	}
	sameFiles(t, wireSeedDir, made)
}

// FuzzMQTT takes any bytes for an MQTT packet of the version that the first
// says. What is accepted accounts for every byte, allocates nothing and is
// written back as something that reads the same.
func FuzzMQTT(f *testing.F) {
	for _, b := range readFolder(f, wireSeedDir) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		version, b := b[0], b[1:]
		m := wire.MQTT{Version: version}
		err := m.DecodeFromBytes(b, gopacket.NilDecodeFeedback)
		if n := testing.AllocsPerRun(1, func() {
			again := wire.MQTT{Version: version}
			_ = again.DecodeFromBytes(b, gopacket.NilDecodeFeedback)
		}); n > 1 { // the layer itself, if it is moved to the heap
			t.Errorf("got %v allocations, want at most 1", n)
		}

		if err != nil {
			if e := (*format.Error)(nil); !errors.As(err, &e) {
				t.Errorf("got error of type %T, want a *format.Error", err)
			}
			return
		}

		if !bytes.Equal(slices.Concat(m.Contents, m.Payload, m.Rest), b) {
			t.Errorf("got contents %x, payload %x, rest %x, want %x in all", m.Contents, m.Payload, m.Rest, b)
		}
		if n, err := wire.PacketLen(b); err != nil || n != len(b)-len(m.Rest) {
			t.Errorf("PacketLen: got %d, %v, want %d", n, err, len(b)-len(m.Rest))
		}

		for range m.Properties.All() {
		}
		for range m.Subscriptions() {
		}
		_ = m.ReasonName()
		once, err := m.AppendTo(nil)
		if m.Remarks != 0 {
			// Read as brokers do, but written by the specification alone.
			if m.Remarks.String() == "" {
				t.Errorf("got no word for the remarks %x, want some", m.Remarks)
			}
			return
		}

		if err != nil {
			t.Fatalf("got error %v, want what was read to be written back", err)
		}
		again := wire.MQTT{Version: m.Version}
		if err := again.DecodeFromBytes(once, gopacket.NilDecodeFeedback); err != nil {
			t.Fatalf("got error %v on %x, want what was written to be read", err, once)
		}

		twice, err := again.AppendTo(nil)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("got %x written the second time, %v, want %x", twice, err, once)
		}
		if again.Type != m.Type || again.PacketID != m.PacketID || again.ReasonCode != m.ReasonCode || !bytes.Equal(again.Topic, m.Topic) ||
			!bytes.Equal(again.Properties, m.Properties) || !bytes.Equal(again.Filters, m.Filters) || !bytes.Equal(again.Payload, m.Payload) {
			t.Errorf("got %+v the second time, want %+v", again, m)
		}
	})
}

// FuzzWireLayers runs gopacket's parser over all layers of wire, with panics
// not recovered, from each of them as the first.
func FuzzWireLayers(f *testing.F) {
	for _, b := range readFolder(f, wireSeedDir) {
		f.Add(b[1:])
	}
	for _, typ := range []string{"log", "frames_v1", "frames_v3", "core_dump", "chunk"} {
		for _, b := range readSeeds(f, typ) {
			f.Add(b)
		}
	}

	var m wire.MQTT
	var l wire.Log
	frame := wire.Frame{Log: &l}
	var d wire.CoreDump
	var c wire.Chunk
	var payload gopacket.Payload
	layers := []gopacket.DecodingLayer{&m, &l, &frame, &d, &c}
	var parsers []*gopacket.DecodingLayerParser
	for _, first := range layers {
		p := gopacket.NewDecodingLayerParser(first.CanDecode().LayerTypes()[0], append(slices.Clone(layers), &payload)...)
		p.IgnorePanic = true
		parsers = append(parsers, p)
	}

	var decoded []gopacket.LayerType
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, version := range []uint8{wire.Version5, wire.Version311} {
			for _, p := range parsers {
				m.Version = version
				within(t, captureLimits, len(b), func() { _ = p.DecodeLayers(b, &decoded) })
				if len(decoded) > 2+len(b) {
					t.Errorf("got %d layers of %d bytes, want at most %d", len(decoded), len(b), 2+len(b))
				}
			}
		}
		for _, first := range []gopacket.LayerType{wire.LayerTypeMQTT, wire.LayerTypeLog, wire.LayerTypeCoreDump} {
			p := gopacket.NewPacket(b, first, gopacket.DecodeOptions{SkipDecodeRecovery: true, NoCopy: true})
			if p.ErrorLayer() == nil && len(b) > 0 && len(p.Layers()) == 0 {
				t.Error("got neither a layer nor an error, want one of the two")
			}
		}
	})
}

// FuzzCapture takes any bytes for a capture file: messages or an error, within
// bounds, and no secrets.
func FuzzCapture(f *testing.F) {
	files, err := filepath.Glob("../wire/testdata/hostile/*.cap")
	if err != nil || len(files) < 50 {
		f.Fatalf("%d capture files, %v, want at least 50", len(files), err)
	}
	for _, b := range readFolder(f, "../wire/testdata/hostile") {
		f.Add(b)
	}
	var file bytes.Buffer
	conversation(f, &file, [][]byte{
		[]byte("\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00"),
		append([]byte("\x30\xff\x01\x00\x0dbinlog/v0/C/A\x00"), make([]byte, 239)...),
	})

	f.Add(file.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		within(t, captureLimits, len(b), func() {
			c, err := wire.NewCapture(bytes.NewReader(b), wire.CaptureConfig{})
			if err != nil {
				if !errors.Is(err, wire.ErrCapture) {
					t.Errorf("got error %v, want %v", err, wire.ErrCapture)
				}
				return
			}

			for m := range c.All() {
				_ = m.Trouble()
				if m.Token != 0 || m.Username != "" || m.Password != nil || m.Kind == wire.KindBootReply && m.Payload != nil {
					t.Errorf("%v: got a secret shown, want none", m.Kind)
				}
				if m.Kind == wire.KindLog && len(m.Payload) > 1 && !bytes.Equal(m.Payload[1:min(5, len(m.Payload))], make([]byte, min(4, len(m.Payload)-1))) {
					t.Errorf("got a log that begins with % x, want zeros for its token", m.Payload[:min(5, len(m.Payload))])
				}
			}

			if err := c.Err(); err != nil && !errors.Is(err, wire.ErrCapture) {
				t.Errorf("got error %v, want none or %v", err, wire.ErrCapture)
			}
			if s := c.Stats(); s.Segments+s.Other+s.Fragments+s.Joined+s.Damaged+s.UnknownLink+s.Tunnels != s.Packets {
				t.Errorf("got %+v, want every packet accounted for", s)
			}
		})
	})
}

// FuzzStream cuts any client's stream into segments of any size: what is read
// does not depend on the cuts, as long as it is MQTT.
func FuzzStream(f *testing.F) {
	var all []byte
	connect := []byte("\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00")
	for _, b := range readFolder(f, wireSeedDir) {
		if b[0] == wire.Version5 {
			f.Add(slices.Concat(connect, b[1:]), []byte{1, 2, 3})
			all = append(all, b[1:]...)
		}
	}

	f.Add(slices.Concat(connect, all), []byte{1})
	f.Add(slices.Concat(connect, all), []byte{7, 200, 1})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		m := wire.MQTT{}
		want := 0
		for rest := stream; len(rest) > 0; rest = m.Rest {
			if m.DecodeFromBytes(rest, gopacket.NilDecodeFeedback) != nil || m.Remarks != 0 || want == 0 && m.Type != wire.PacketConnect {
				return
			}
			want++
		}

		if len(stream) > 64<<10 {
			return
		}
		var segments [][]byte
		for rest, i := stream, 0; len(rest) > 0; i++ {
			n := len(rest)
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
			}
			segments = append(segments, rest[:n])
			rest = rest[n:]
		}

		var file bytes.Buffer
		conversation(t, &file, segments)
		c, err := wire.NewCapture(&file, wire.CaptureConfig{})
		if err != nil {
			t.Fatal(err)
		}

		for m := range c.All() {
			if m.Trouble() != "" {
				t.Errorf("%v: got trouble %q, want none", m.Kind, m.Trouble())
			}
		}

		if s := c.Stats(); c.Err() != nil || int(s.Messages) != want || !s.Lossless() {
			t.Errorf("got %d packets, %+v, %v, want %d and no loss", s.Messages, s, c.Err(), want)
		}
	})
}

// conversation writes a capture file in which a client sends the segments.
func conversation(t testing.TB, file io.Writer, segments [][]byte) {
	t.Helper()
	tap, err := wire.NewTap(file)
	if err != nil {
		t.Fatal(err)
	}
	c := tap.Client(sink{})
	for _, b := range segments {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(), tap.Close()); err != nil {
		t.Fatal(err)
	}
}

// sink is a connection to nobody.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) Close() error                { return nil }
func (sink) LocalAddr() net.Addr         { return nil }
func (sink) RemoteAddr() net.Addr        { return nil }

// FuzzReassembler takes any bytes for segments between two hosts, eleven bytes
// of header each: what is given out was given in, each direction ends once, and
// nothing is kept beyond the limits.
func FuzzReassembler(f *testing.F) {
	segment := func(flags byte, sequence, ack uint32, payload string) []byte {
		b := binary.BigEndian.AppendUint32([]byte{flags, byte(len(payload))}, sequence)
		return append(append(binary.BigEndian.AppendUint32(b, ack), 0), payload...)
	}

	const fromServer, syn, ack, fin, rst = 1, 2, 4, 8, 16
	f.Add(slices.Concat(segment(syn, 9, 0, ""), segment(fromServer|syn|ack, 99, 10, ""), segment(ack, 14, 100, "later"), segment(ack, 10, 100, "once"), segment(fromServer|ack, 100, 19, "answer"), segment(fin|ack, 19, 106, ""), segment(fromServer|fin|ack, 106, 20, "")))
	f.Add(slices.Concat(segment(syn, 9, 0, ""), segment(ack, 10, 1, "one"), segment(syn, 9, 0, ""), segment(ack, 10, 1<<20, "two"), segment(rst, 13, 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		within(t, captureLimits, len(b), func() {
			given, ended, opened := 0, 0, 0
			r := wire.NewReassembler(func(_, _ netip.AddrPort) wire.Stream {
				opened++
				return &countingStream{&given, &ended}
			})

			ends := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:1883")}
			sent := 0
			for now := time.Unix(0, 0); len(b) >= 11; {
				flags, n := b[0], min(int(b[1]), len(b)-11)
				from := int(flags & fromServer)
				now = now.Add(time.Duration(b[10]) * 50 * time.Millisecond)
				sent += n
				r.Add(&wire.Segment{
					Time: now, Source: ends[from], Destination: ends[1-from], Sequence: binary.BigEndian.Uint32(b[2:]), AckNumber: binary.BigEndian.Uint32(b[6:]),
					SYN: flags&syn != 0, ACK: flags&ack != 0, FIN: flags&fin != 0, RST: flags&rst != 0, Payload: b[11 : 11+n],
				})
				b = b[11+n:]
			}

			r.Close()
			if given > sent || ended != 2*opened {
				t.Errorf("got %d bytes given out and %d ends, want at most %d and %d", given, ended, sent, 2*opened)
			}
		})
	})
}

// countingStream counts what it is told.
type countingStream struct{ given, ended *int }

func (countingStream) Started(int) {}

func (s countingStream) Data(_ int, _ time.Time, b []byte) { *s.given += len(b) }

func (countingStream) Gap(int, time.Time, int64) {}

func (s countingStream) Ended(int, time.Time) { *s.ended++ }
