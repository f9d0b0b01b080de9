package wire

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
)

func logVectors(t testing.TB) [][]byte  { return formattest.LogBytes(t) }
func coreVectors(t testing.TB) [][]byte { return formattest.DumpBytes(t) }

// publish returns the bytes of a PUBLISH.
func publish(t testing.TB, topic string, id uint16, payload []byte) []byte {
	t.Helper()
	m := MQTT{Type: PacketPublish, Topic: []byte(topic), Payload: payload}
	if id > 0 {
		m.QoS, m.PacketID = 1, id
	}
	b, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A parser goes from PUBLISH down to the last frame of what real devices sent,
// and the layers give back the same bytes when they are written again.
func TestLayersReadAndWriteWhatDevicesSent(t *testing.T) {
	var m MQTT
	var l Log
	frame := Frame{Log: &l}
	var dump CoreDump
	parser := gopacket.NewDecodingLayerParser(LayerTypeMQTT, &m, &l, &frame, &dump)
	parser.IgnorePanic = true
	parser.IgnoreUnsupported = true
	var decoded []gopacket.LayerType
	for i, b := range logVectors(t) {
		packet := publish(t, "binlog/v0/C/A", 1, b)
		if err := parser.DecodeLayers(packet, &decoded); err != nil {
			t.Fatalf("log %d: %v", i, err)
		}
		log, _, err := format.ParseLog(b)
		if err != nil {
			t.Fatal(err)
		}
		frames := log.Frames()
		want := []gopacket.LayerType{LayerTypeMQTT, LayerTypeLog}
		for range frames.All() {
			want = append(want, LayerTypeFrame)
		}
		if !slices.Equal(decoded, want) {
			t.Errorf("log %d: got %v decoded, want %v", i, decoded, want)
		}

		// The same through NewPacket, which keeps every layer, and back.
		p := gopacket.NewPacket(packet, LayerTypeMQTT, gopacket.DecodeOptions{SkipDecodeRecovery: true})
		if p.ErrorLayer() != nil || len(p.Layers()) != len(want) {
			t.Fatalf("log %d: got error layer %v, %d layers, want none and %d", i, p.ErrorLayer(), len(p.Layers()), len(want))
		}
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializePacket(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, p); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(buf.Bytes(), packet) {
			t.Errorf("log %d: got\n%x written, want\n%x", i, buf.Bytes(), packet)
		}
	}
	for i, b := range coreVectors(t) {
		packet := publish(t, "core-dump/v0/C", 1, b)
		if err := parser.DecodeLayers(packet, &decoded); err != nil {
			t.Fatalf("core dump %d: %v", i, err)
		}
		if !slices.Equal(decoded, []gopacket.LayerType{LayerTypeMQTT, LayerTypeCoreDump}) {
			t.Errorf("core dump %d: got %v decoded, want %v", i, decoded, []gopacket.LayerType{LayerTypeMQTT, LayerTypeCoreDump})
		}
		buf := gopacket.NewSerializeBuffer()
		opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
		if err := gopacket.SerializeLayers(buf, opts, &m, &dump, gopacket.Payload(dump.Payload)); err != nil || !bytes.Equal(buf.Bytes(), packet) {
			t.Errorf("core dump %d: got %x written, %v, want %x", i, buf.Bytes(), err, packet)
		}
	}
}

// Lengths and checksums are made where they are asked for, and only in what is
// written.
func TestLengthsAndChecksumsAreMadeOnRequest(t *testing.T) {
	for _, b := range logVectors(t) {
		var l Log
		if err := l.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
			t.Fatal(err)
		}
		data := append(slices.Clone(l.Payload), 1)
		before := slices.Clone(b)
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{}, &l, gopacket.Payload(data)); err == nil {
			t.Error("got a wrong length written, want an error")
		}

		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, &l, gopacket.Payload(data)); err != nil {
			t.Fatal(err)
		}
		log, rest, err := format.ParseLog(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) > 0 || log.Verify() != nil || !bytes.Equal(log.Data(), data) {
			t.Errorf("got %x written, error %v, rest %x, want a sound log of the data %x alone", buf.Bytes(), log.Verify(), rest, data)
		}

		if !bytes.Equal(b, before) {
			t.Errorf("got the layer's own header changed to %x, want it left %x", b, before)
		}
	}

	buf := gopacket.NewSerializeBuffer()
	for _, bad := range []gopacket.SerializableLayer{&Log{}, &CoreDump{}, &Chunk{}, &Frame{}, &Frame{Log: logOfVersion(t, 1), Record: make([]byte, 65536)}, &Frame{Log: logOfVersion(t, 3), Record: make([]byte, 65536)}} {
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, bad); err == nil {
			t.Errorf("%T: got it written, want an error", bad)
		}
	}

	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, logOfVersion(t, 3), gopacket.Payload(make([]byte, 65536))); err == nil {
		t.Error("got a log of 65,536 bytes written, want an error")
	}
}

// logOfVersion is the layer of an empty log.
func logOfVersion(t interface{ Fatal(...any) }, version uint8) *Log {
	builder, err := format.NewLogBuilder(version)
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := new(Log)
	if err := l.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		record, rest := rapid.SliceOfN(rapid.Byte(), 6, 300).Draw(t, "record"), drawBytes(t, "rest")
		frame := Frame{Log: logOfVersion(t, rapid.SampledFrom([]uint8{1, 3, 4}).Draw(t, "version")), Record: record}
		if frame.Log.Header.FramesNumbered() {
			frame.Sequence = rapid.Uint16().Draw(t, "sequence")
		} else {
			frame.TickDelta = rapid.Uint32().Draw(t, "tick")
		}

		chunk := Chunk{Offset: rapid.Uint16().Draw(t, "offset"), LenTotal: rapid.Uint16Min(1).Draw(t, "total")}
		buf := gopacket.NewSerializeBuffer()
		write := func(l gopacket.SerializableLayer) []byte {
			if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{}, l, gopacket.Payload(rest)); err != nil {
				t.Fatal(err)
			}
			return slices.Clone(buf.Bytes())
		}

		b := write(&frame)
		got := Frame{Log: frame.Log}
		if err := got.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil || got.Sequence != frame.Sequence || got.TickDelta != frame.TickDelta ||
			!bytes.Equal(got.Record, record) || !bytes.Equal(got.Payload, rest) {
			t.Fatalf("got %+v, %v, want %+v and payload %x", got, err, frame, rest)
		}

		b = write(&chunk)
		var c Chunk
		if err := c.DecodeFromBytes(b, gopacket.NilDecodeFeedback); err != nil || c.Offset != chunk.Offset || c.LenTotal != chunk.LenTotal || !bytes.Equal(c.Payload, rest) {
			t.Fatalf("got %+v, %v, want %+v and payload %x", c, err, chunk, rest)
		}
	})
}

// Bad input costs no allocation either.
func TestDecodeAllocatesNothing(t *testing.T) {
	log, dump := logVectors(t)[0], coreVectors(t)[0]
	inputs := map[string][]byte{"log": log, "core dump": dump, "empty": nil, "junk": bytes.Repeat([]byte{0xff}, 64), "zeros": make([]byte, 64)}
	for _, p := range packetExamples {
		inputs[p.name] = unhex(t, p.hex)
	}
	layers := []interface {
		gopacket.DecodingLayer
		LayerType() gopacket.LayerType
	}{&MQTT{}, &MQTT{Version: Version311}, &Log{}, &Frame{}, &Frame{Log: logOfVersion(t, 4)}, &CoreDump{}, &Chunk{}}
	for name, b := range inputs {
		for _, l := range layers {
			if n := testing.AllocsPerRun(10, func() { _ = l.DecodeFromBytes(b, gopacket.NilDecodeFeedback) }); n != 0 {
				t.Errorf("%v of %s: got %v allocations, want 0", l.LayerType(), name, n)
			}
		}
	}
}

// TestOnlyListedFilesImportGopacket holds the list of files in which the import path
// must be replaced to swap gopacket for its fork.
func TestOnlyListedFilesImportGopacket(t *testing.T) {
	want := []string{"gopacket.go", "mqtt.go", "mqttserialize.go", "newpacket.go", "reassembly.go", "several.go", "tapfile.go", "ulogger.go"}
	out, err := exec.Command("grep", "-l", "google/gopacket\"\\|google/gopacket/", "--include=*.go", "-r", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range strings.Fields(string(out)) {
		if f = strings.TrimPrefix(f, "./"); !strings.HasSuffix(f, "_test.go") {
			got = append(got, f)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("gopacket is imported by %v, want %v", got, want)
	}
}
