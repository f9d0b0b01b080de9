package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/ulogkit/ulogkit/format"
)

const canaryToken = 2712847317

// canaries are the ways in which secrets of the conversations below would show.
var canaries = []string{
	"canary", fmt.Sprint(uint32(canaryToken)), fmt.Sprintf("%08x", uint32(canaryToken)), fmt.Sprintf("%08X", uint32(canaryToken)),
	string(binary.LittleEndian.AppendUint32(nil, canaryToken)), string(binary.BigEndian.AppendUint32(nil, canaryToken)),
}

// shows returns the canaries that a message shows.
func shows(m *Message) (out []string) {
	text := fmt.Sprintf("%+v\n%s\n%v\n%s", m, m.Payload, m.Err, m.Trouble())
	for _, c := range canaries {
		if strings.Contains(text, c) {
			out = append(out, fmt.Sprintf("%q", c))
		}
	}
	return out
}

// Whatever is a secret is told by what it is, under any name or none, in any
// part, and by its value once it was seen.
//
// Case capture/topic-prefix-secret.
func TestSecretsAreHiddenWhereverTheyAre(t *testing.T) {
	log := slices.Clone(logVectors(t)[0])
	l, _, err := format.ParseLog(log)
	if err != nil {
		t.Fatal(err)
	}
	l.SetSessionToken(canaryToken)
	alias := func(number byte, topic string, payload []byte) []byte {
		return (&script{t: t}).packet(MQTT{Type: PacketPublish, Topic: []byte(topic), Properties: Properties([]byte{0x23, 0, number}), Payload: payload})
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprintf(z, `{"device_serial":"SN-1","metrics":[{"name":"token","value":%d}]}`, uint32(canaryToken))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}

	reply := []byte(`{"token": 2712847317}`)
	presigned := []byte(`{"upload_id":"4","presigned_url":"https://s3.example/canary?X-Amz-Signature=canary"}`)
	long := strings.Repeat("p/", 90)
	say := func(topic, payload string) []byte { return publish(t, topic, 1, []byte(payload)) }
	for name, packets := range map[string][][]byte{
		"prefix":            {say("ulogger/boot/v0/42/3/7/SN-1", string(reply)), say("ulogger/binlog/v0/42/3/7", string(log)), say("x/y/upload/v0/42/4", string(presigned))},
		"prefix too long":   {say(long+"boot/v0/42/3/7/SN-1", string(reply)), say(long+"binlog/v0/42/3/7", string(log)), say(long+"upload/v0/42/4", string(presigned))},
		"other name":        {say("renamed/a", string(reply)), say("renamed/b", string(log)), say("renamed/c", string(presigned))},
		"alias":             {alias(1, "boot/v0/42/7/SN-1", reply), alias(1, "", reply)},
		"alias from before": {alias(7, "", reply), alias(8, "", log), alias(9, "", presigned)},
		"part":              {say("boot/v0/42/7/SN-1", string(reply[:20])), say("a/b", string(reply[:20])), say("a/b", string(presigned[:70])), say("binlog/v0/42/7", string(log[:40])), say("binlog/v0/42/7", string(log[:3]))},
		"spaces":            {say("a/b", "{\n  \"Token\"  :\n 2712847317}"), say("a/b", `{"deep":{"session_token":"2712847317"}}`)},
		"by value": {
			say("boot/v0/42/7/SN-1", string(reply)),
			say("a/b", "it is 2712847317!"), say("a/b", "x=A1B2C3D5"), say("a/b", "x=0xa1b2c3d5"), say("a/b", "\x00\xd5\xc3\xb2\xa1\x00"), say("a/b", "\xa1\xb2\xc3\xd5"),
			say("devices/2712847317/state", "on"), say("metrics/v0/42/7", `{"device_serial":"SN-1","metrics":[{"name":"a","value":2712847317}]}`),
			say("metrics/v0/42/7", zipped.String()), say("events/v0/42/7", `{"device_serial":"2712847317","events":[]}`),
			say("boot/v0/42/7", `{"device_type":"a2712847317","git":"g","serial":"s","version":"v"}`),
			(&script{t: t}).packet(MQTT{Type: PacketSubscribe, PacketID: 9, Filters: Filters("\x00\x0c2712847317/#\x00")}),
		},
		"whole number":      {say("boot/v0/42/7/SN-1", `{"token": 2712847317.0}`), say("a/b", "it is 2712847317!")},
		"with an exponent":  {say("boot/v0/42/7/SN-1", `{"token": 2.712847317e9}`), say("a/b", "x=A1B2C3D5")},
		"password by value": {say("a/b", "login canary-password now"), say("a/canary-password", "x")},
		"keys":              {say("a/b", "ulg_canary"), say("a/b", "Authorization: Bearer canary"), say("a/b", "-----BEGIN EC PRIVATE KEY-----\ncanary"), say("metrics/v0/42/7", `{"api_key":"canary"}`)},
	} {
		for _, version := range []uint8{Version5} {
			s := talk4(t)
			s.connect(version)
			for _, p := range packets {
				s.say(server, 1400, p)
			}
			messages, stats := readScript(t, s.packets)
			if int(stats.Messages) != 2+len(packets) {
				t.Errorf("%s: got %d packets read, want %d", name, stats.Messages, 2+len(packets))
			}

			for i := range messages {
				if found := shows(&messages[i]); found != nil {
					t.Errorf("%s: %v %q: got %v shown, want none", name, messages[i].Kind, messages[i].Topic, found)
				}
			}

			// They are there, for who asks.
			shown, _, err := read(t, bytes.NewReader(pcap(t, layers.LinkTypeEthernet, s.packets)), CaptureConfig{ShowSecrets: true})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(shown[2:], func(m Message) bool { return shows(&m) != nil }) {
				t.Errorf("%s: got no secret shown to who asks, want one", name)
			}
		}
	}
}

// What is no secret is shown whole.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	payloads := []string{"2712847318", `{"tokens":3}`, `{"t":21.5,"token_count":4}`, "a:b", `"token"`, `{"config":"\"token\""}`, "\x1f\x8bjunk", ""}
	s.say(server, 1400, publish(t, "boot/v0/42/7/SN-1", 1, []byte(`{"token": 2712847317}`)))
	for _, p := range payloads {
		s.say(client, 1400, publish(t, "plant/a", 0, []byte(p)))
	}
	messages, _ := readScript(t, s.packets)
	for i, p := range payloads {
		if m := messages[3+i]; string(m.Payload) != p || m.Topic != "plant/a" {
			t.Errorf("got %q on %q, want %q on \"plant/a\"", m.Payload, m.Topic, p)
		}
	}
}

// In all captures of the tests, what is a secret to who may see it is hidden
// from who may not.
func TestNoCaseShowsASecret(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.pcap*")
	if err != nil || len(files) < 24 {
		t.Fatalf("got %d cases, %v, want at least 24", len(files), err)
	}
	found := 0
	for _, name := range append(files, "testdata/sample.pcap") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shown, _, _ := read(t, bytes.NewReader(b), CaptureConfig{ShowSecrets: true})
		var secret [][]byte
		for _, m := range shown {
			if m.Token != 0 {
				secret = append(secret, []byte(fmt.Sprint(m.Token)), binary.LittleEndian.AppendUint32(nil, m.Token))
			}
			if l, _, err := format.ParseLog(m.Payload); err == nil && l.SessionToken() != 0 && m.Kind == KindLog {
				secret = append(secret, m.Payload[:5])
			}
			if len(m.Password) > 0 {
				secret = append(secret, m.Password)
			}
		}

		found += len(secret)
		hidden, _, _ := read(t, bytes.NewReader(b), CaptureConfig{})
		for _, m := range hidden {
			text := []byte(fmt.Sprintf("%+v\n%s\n%v\n%s", m, m.Payload, m.Err, m.Trouble()))
			for _, s := range secret {
				if bytes.Contains(text, s) {
					t.Errorf("%s: %v %q: got %q shown, want it hidden", name, m.Kind, m.Topic, s)
				}
			}
		}
	}

	if found < 3 {
		t.Errorf("got %d secrets in all captures, want at least 3: else this test shows nothing", found)
	}
}
