package wire

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/gopacket/layers"
)

// sampleCapture is the traffic of a gateway that boots a device, uploads its
// log and its crash dump, and is refused once; beside it, a connection under
// TLS, and at the end a segment that was not captured.
func sampleCapture(t testing.TB) []byte {
	s := talk4(t)
	s.connect(Version5)
	s.say(client, 1400, s.packet(MQTT{Type: PacketSubscribe, PacketID: 1, Filters: Filters("\x00\x10boot/v0/C/A/SN-1\x01")}))
	s.say(server, 1400, s.packet(MQTT{Type: PacketSuback, PacketID: 1, ReasonCodes: []byte{1}}))
	s.say(client, 1400, publish(t, "boot/v0/C/A", 2, []byte(`{"device_type":"Sensor","git":"3f2c9a1","serial":"SN-1","version":"v1.2.0"}`)))
	s.say(server, 1400, s.packet(MQTT{Type: PacketPuback, PacketID: 2}))
	s.say(server, 1400, publish(t, "boot/v0/C/A/SN-1", 1, []byte(`{"token":2712847317}`)))
	s.say(client, 1400, s.packet(MQTT{Type: PacketPuback, PacketID: 1}))
	s.upload(Version5, 3, 200, logVectors(t)[0])
	s.say(client, 1400, publish(t, "core-dump/v0/C", 4, coreVectors(t)[0]))
	s.say(server, 1400, s.packet(MQTT{Type: PacketPuback, PacketID: 4, ReasonCode: 0x97}))
	s.say(client, 1400, publish(t, "binlog/v0/C/A", 5, changedByte(logVectors(t)[0], 400)))
	s.say(server, 1400, s.packet(MQTT{Type: PacketPuback, PacketID: 5}))

	tls := newScript(t, "192.0.2.3:40001", "192.0.2.2:8883").handshake()
	tls.say(client, 1400, append([]byte{0x16, 3, 1, 0, 100}, bytes.Repeat([]byte{1}, 100)...))
	for i := range tls.packets {
		tls.packets[i].time = s.now
	}

	begin := len(s.packets)
	s.upload(Version5, 6, 200, logVectors(t)[1])
	packets := slices.Concat(s.packets[:begin], tls.packets, s.packets[begin+1:])
	return pcap(t, layers.LinkTypeEthernet, packets)
}

func changedByte(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// TestSampleCaptureIsCurrent holds the committed sample, which the command line's tests
// read, to what it is made of.
func TestSampleCaptureIsCurrent(t *testing.T) {
	const name = "testdata/sample.pcap"
	made := sampleCapture(t)
	if *update {
		if err := os.WriteFile(name, made, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, made) {
		t.Errorf("%s: got other bytes, want those that this test makes: run with -update", name)
	}

	messages, _, err := read(t, bytes.NewReader(b), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Kind{
		KindConnect, KindConnack, KindSubscribe, KindSuback, KindBootRequest, KindAck, KindBootReply, KindAck,
		KindLog, KindAck, KindCoreDump, KindAck, KindLog, KindAck, KindEncrypted,
	}

	if got := kinds(messages); !slices.Equal(got[:min(len(want), len(got))], want) || !slices.Contains(got, KindGap) {
		t.Errorf("%v, want %v and a gap", got, want)
	}
}
