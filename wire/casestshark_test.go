package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// besideTshark are the cases. Where tshark sees fewer publishes than we do, it says how
// many, and why there are more.
var besideTshark = map[string]struct {
	fewer int
	why   string
}{
	"bad-utf8-topic.pcap":             {},
	"bigtcp-v4.pcap":                  {},
	"bridge-0x84.pcap":                {},
	"dup-qos0.pcap":                   {},
	"gap-in-log-topic-unnamed.pcap":   {},
	"http-midstream-beside-good.pcap": {},
	"keepalive-midconn-port5000.pcap": {},
	"midconn-311-token3.pcap":         {},
	"midconn-311-zero.pcap":           {},
	"mqtt31-silent.pcap":              {},
	"ng-minor2.pcapng":                {},
	"only-ssh.pcap":                   {},
	"pcap-cap-gt-len.pcap":            {},
	"pcap-len0.pcap":                  {},
	"pcpp851-ack-before-data.pcap":    {1, "an acknowledgement that was captured before its data does not say that these are missing"},
	"proxy1-beside-good.pcap":         {1, "what follows the PROXY header is MQTT"},
	"reboot-both-lower-longer.pcap":   {1, "both ends began again with lower numbers: a new connection, whose packets are not old ones"},
	"rst-before-data.pcap":            {1, "a reset that is captured before the data that it follows ends nothing"},
	"rst-out-of-window.pcap":          {},
	"ssh-beside-good.pcap":            {},
	"subscribe-flags0.pcap":           {},
	"topic-prefix-secret.pcap":        {},
	"vxlan-beside-good.pcap":          {},
	"websocket-beside-good.pcap":      {}, // it leaves MQTT over WebSocket as well
}

// Each case beside tshark: the same topics and payloads, and those that it misses.
func TestCasesMissNothingThatTsharkSees(t *testing.T) {
	needTool(t, "tshark")
	files, err := filepath.Glob("testdata/cases/*.pcap*")
	if err != nil || len(files) != len(besideTshark) {
		t.Fatalf("got %d cases, %v, want %d", len(files), err, len(besideTshark))
	}

	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, known := besideTshark[filepath.Base(file)]
			if !known {
				t.Fatal("got a case that is not in the table, want a row for each")
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			messages, _, err := read(t, bytes.NewReader(b), CaptureConfig{ShowSecrets: true})
			if err != nil {
				t.Fatal(err)
			}
			var ours, theirs []Message
			for _, m := range messages {
				if m.Packet == PacketPublish && m.Kind != KindCut {
					ours = append(ours, m)
				}
			}

			// Many of them were made without checksums.
			packets, _ := tshark(t, b, "-o", "tcp.check_checksum:FALSE", "-o", "ip.check_checksum:FALSE")
			for _, p := range packets {
				if p.Type == PacketPublish {
					theirs = append(theirs, Message{Topic: p.Topics[0], Payload: p.Payload})
				}
			}

			for _, p := range theirs {
				if !slices.ContainsFunc(ours, func(m Message) bool {
					return m.Topic == p.Topic && bytes.Equal(m.Payload, p.Payload)
				}) {
					t.Errorf("got no %q with %d bytes, want it as tshark sees it", p.Topic, len(p.Payload))
				}
			}

			if len(ours)-len(theirs) != want.fewer {
				t.Errorf("got %d publishes, tshark %d, want a difference of %d: %s", len(ours), len(theirs), want.fewer, want.why)
			}
		})
	}
}
