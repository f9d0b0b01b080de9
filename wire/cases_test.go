package wire

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCasesReadAsTheirVerdictsSay reads the captures that once were read wrongly,
// each named after what was wrong, and compares what comes of them. With -update it
// writes the verdicts again: look at them.
func TestCasesReadAsTheirVerdictsSay(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.pcap*")
	if err != nil || len(files) < 24 {
		t.Fatalf("got %d cases, %v, want at least 24", len(files), err)
	}
	var got strings.Builder
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s\n", filepath.Base(name))
		messages, stats, err := read(t, bytes.NewReader(b), CaptureConfig{})
		for _, m := range messages {
			fmt.Fprintf(&got, "\t%v > %v %v", m.Source, m.Destination, m.Kind)
			if m.Packet != 0 {
				fmt.Fprintf(&got, " %v", m.Packet)
			}
			if m.Topic != "" {
				fmt.Fprintf(&got, " %q", m.Topic)
			}
			if m.PacketID != 0 {
				fmt.Fprintf(&got, " #%d", m.PacketID)
			}
			if m.Packet == PacketPublish {
				fmt.Fprintf(&got, " %d bytes", m.PayloadSize)
			}
			if m.Version != 0 {
				fmt.Fprintf(&got, " version %d, bridge %v, for %v", m.Version, m.Bridge, m.ProxiedFor)
			}
			if m.Remark != "" {
				fmt.Fprintf(&got, " (%s)", m.Remark)
			}
			if m.Err != nil {
				fmt.Fprintf(&got, " error %v", m.Err)
			}
			fmt.Fprintf(&got, " %s\n", m.Trouble())
		}

		fmt.Fprintf(&got, "\tlossless %v, not MQTT %+v, error %v\n", stats.Lossless(), stats.NotMQTT, err)
	}

	const golden = "testdata/cases/verdicts.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "", ""
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("line %d: got\n%s\nwant\n%s", i+1, g, w)
		}
	}
}

// A conversation with MQTT 3.1 and its bridges reads as it was written.
//
// Cases capture/mqtt31-silent and bridge-0x84.
func TestOldVersionsAndBridgesAreRead(t *testing.T) {
	for _, version := range []uint8{Version31, Version311, Version5} {
		for _, bridge := range []bool{false, true} {
			s := talk4(t)
			s.say(client, 3, s.packet(MQTT{Version: version, Type: PacketConnect, Connect: Connect{Bridge: bridge, ClientID: []byte("c")}}))
			s.say(server, 1, s.packet(MQTT{Version: version, Type: PacketConnack}))
			if version == Version31 {
				// Version 3.1 may mark these as sent again.
				s.say(client, 100, []byte("\x8a\x06\x00\x01\x00\x01a\x01"))
				s.say(server, 100, []byte("\x90\x03\x00\x01\x01"))
			}

			s.upload(version, 7, 100, logVectors(t)[0])
			messages, stats := readScript(t, s.packets)
			c, last := messages[0], messages[len(messages)-2]
			if c.Kind != KindConnect || c.Version != version || c.Bridge != bridge || last.Kind != KindLog || last.Err != nil || !stats.Lossless() {
				t.Errorf("version %d, bridge %v: got %v, connect %+v, log error %v, %+v, want a connect of that kind, a good log and no loss",
					version, bridge, kinds(messages), c, last.Err, stats)
			}

			for _, m := range messages {
				if m.Remark != "" {
					t.Errorf("version %d: %v: got the remark %q, want none", version, m.Kind, m.Remark)
				}
			}
		}
	}
}

// A capture that begins after the connect reads no payload wrongly, whatever
// the token is: the version is proved by what only one version can mean, also
// for what came before the proof, or it is said not to be known.
//
// Cases capture/midconn-311-token3 and midconn-311-zero.
func TestVersionIsProvedOrSaidUnknown(t *testing.T) {
	middle := func(version uint8, packets ...MQTT) ([]Message, Stats) {
		s := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
		for _, m := range packets {
			m.Version = version
			s.say(client, 1400, s.packet(m))
		}
		return readScript(t, s.packets)
	}
	log := slices.Clone(logVectors(t)[0])
	for token := range 256 {
		for _, version := range []uint8{Version311, Version5} {
			log[1], log[2], log[3], log[4] = byte(token), 0, 0, 0
			messages, stats := middle(version, MQTT{Type: PacketPublish, Topic: []byte("p/binlog/v0/C/A"), Payload: log})
			if len(messages) != 1 || messages[0].Err != nil || messages[0].PayloadSize != len(log) || !stats.Lossless() {
				t.Fatalf("version %d, token %d: got %v, %+v, %+v, want one message of %d bytes without error or loss",
					version, token, kinds(messages), messages, stats, len(log))
			}
		}
	}

	doubtful := MQTT{Type: PacketPublish, Topic: []byte("plant/a"), Payload: []byte("\x00\x01hello")}
	proof311 := MQTT{Type: PacketPublish, Topic: []byte("plant/a"), Payload: []byte("hello")}
	proof5 := MQTT{Type: PacketPublish, Topic: []byte("plant/a"), Payload: []byte("hello"), Properties: Properties("\x26\x00\x03key\x00\x01v")}
	for name, test := range map[string]struct {
		version uint8
		proof   MQTT
	}{
		"3.1.1": {Version311, proof311},
		"5.0":   {Version5, proof5},
		"json":  {Version5, MQTT{Type: PacketPublish, Topic: []byte("plant/b"), Payload: []byte(`{"a":1}`)}},
	} {
		messages, stats := middle(test.version, doubtful, MQTT{Type: PacketPingreq}, doubtful, test.proof)
		if len(messages) != 3 || !bytes.Equal(messages[0].Payload, doubtful.Payload) || !bytes.Equal(messages[1].Payload, doubtful.Payload) ||
			!bytes.Equal(messages[2].Payload, test.proof.Payload) || !stats.Lossless() || stats.Messages != 4 {
			t.Errorf("%s: got %+v, %+v, want the payloads %q, %q and %q, 4 packets and no loss",
				name, messages, stats, doubtful.Payload, doubtful.Payload, test.proof.Payload)
		}
	}

	messages, stats := middle(Version311, doubtful, doubtful)
	if len(messages) != 2 || stats.Undecided != 2 || stats.Lossless() {
		t.Fatalf("without proof: got %v, %+v, want 2 messages, both undecided, and a loss", kinds(messages), stats)
	}
	for _, m := range messages {
		if m.Topic != "plant/a" || m.Payload != nil || !m.Undecided || !strings.Contains(m.Remark, "7 or 6 bytes") {
			t.Errorf("without proof: got %+v, want it undecided, on plant/a, without a payload and with a remark about 7 or 6 bytes", m)
		}
	}

	// What waits is bounded.
	s := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
	doubtful.Version, doubtful.Payload = Version311, append([]byte{0}, bytes.Repeat([]byte("x"), 10000)...)
	for range 200 {
		s.say(client, 60000, s.packet(doubtful))
	}
	c, err := NewCapture(bytes.NewReader(pcap(t, 101, s.packets)), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var most int64
	for range c.All() {
		most = max(most, c.kept)
	}
	if most > maxHeld+20000 || c.kept != 0 || c.remembered != 0 || c.Stats().Undecided != 200 {
		t.Errorf("got %d bytes held, %d left, %d remembered, %d undecided, want at most %d, 0, 0 and 200",
			most, c.kept, c.remembered, c.Stats().Undecided, maxHeld+20000)
	}
}

// A proxy's introduction stands before the client's first byte, in any cut.
//
// Case capture/proxy1-beside-good.
func TestProxyIntroductionIsRead(t *testing.T) {
	v2 := func(command, family byte, body string) string {
		return proxyV2 + string([]byte{command, family, 0, byte(len(body))}) + body
	}
	for introduction, want := range map[string]string{
		"PROXY TCP4 203.0.113.5 198.51.100.1 4711 1883\r\n": "203.0.113.5:4711",
		"PROXY TCP6 2001:db8::5 2001:db8::1 4711 1883\r\n":  "[2001:db8::5]:4711",
		"PROXY UNKNOWN\r\n":                "invalid AddrPort",
		"PROXY UNKNOWN whatever it is\r\n": "invalid AddrPort",
		v2(0x21, 0x11, "\xcb\x00\x71\x05\xc6\x33\x64\x01\x12\x67\x07\x5b"):                                            "203.0.113.5:4711",
		v2(0x21, 0x11, "\xcb\x00\x71\x05\xc6\x33\x64\x01\x12\x67\x07\x5b\x03\x00\x04abcd"):                            "203.0.113.5:4711",
		v2(0x21, 0x21, " \x01\r\xb8"+strings.Repeat("\x00", 11)+"\x05"+strings.Repeat("\x00", 16)+"\x12\x67\x07\x5b"): "[2001:db8::5]:4711",
		v2(0x20, 0, ""): "invalid AddrPort",
	} {
		for _, size := range []int{1, 7, 1400} {
			s := talk4(t)
			s.say(client, size, []byte(introduction), s.packet(MQTT{Type: PacketConnect, Connect: Connect{ClientID: []byte("c")}}))
			s.upload(Version5, 1, 1400, logVectors(t)[0])
			messages, stats := readScript(t, s.packets)
			if !slices.Equal(kinds(messages), []Kind{KindConnect, KindLog, KindAck}) || messages[0].ProxiedFor.String() != want || !stats.Lossless() {
				t.Errorf("%q in pieces of %d: got %v, for %v, want %s", introduction, size, kinds(messages), messages[0].ProxiedFor, want)
			}
		}
	}
}

// What an HTTP proxy passes on is read like a connection without it, and told when it
// is encrypted; websites are none of ours.
//
// Kind of capture/proxy1-beside-good.
func TestHTTPProxyIsReadThrough(t *testing.T) {
	for _, test := range []struct {
		ask, answer string
		tls         bool
		want        []Kind
	}{
		{ask: "CONNECT broker.example:1883 HTTP/1.1\r\nHost: broker.example\r\n\r\n", answer: "HTTP/1.1 200 Connection established\r\nVia: p\r\n\r\n", want: []Kind{KindConnect, KindLog, KindAck}},
		{ask: "CONNECT [2001:db8::5]:1883 HTTP/1.0\r\n\r\n", answer: "HTTP/1.0 200 OK\r\n\r\n", want: []Kind{KindConnect, KindLog, KindAck}},
		{ask: "CONNECT broker.example:8883 HTTP/1.1\r\n\r\n", answer: "HTTP/1.1 200 OK\r\n\r\n", tls: true, want: []Kind{KindEncrypted}},
		{ask: "CONNECT www.example:443 HTTP/1.1\r\n\r\n", answer: "HTTP/1.1 200 OK\r\n\r\n", tls: true},
	} {
		for _, size := range []int{1, 7, 1400} {
			s := newScript(t, "10.0.0.1:40000", "10.0.0.2:3128").handshake()
			s.say(client, size, []byte(test.ask))
			s.say(server, size, []byte(test.answer))
			if test.tls {
				s.say(client, size, []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"))
				s.say(server, size, []byte("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x03"))
			} else {
				s.say(client, size, s.packet(MQTT{Type: PacketConnect, Version: Version5, Connect: Connect{ClientID: []byte("c")}}))
				s.upload(Version5, 1, 1400, logVectors(t)[0])
			}
			messages, stats := readScript(t, s.packets)
			if !slices.Equal(kinds(messages), test.want) || !stats.Lossless() {
				t.Errorf("%q in pieces of %d: got %v, %+v, want %v", test.ask, size, kinds(messages), stats, test.want)
			}
		}
	}
}

// What client and proxy say to each other first is passed over, in any cut: SOCKS of
// each version, and an HTTP proxy that wants a password before it connects.
//
// Kind of capture/proxy1-beside-good.
func TestTalkWithAProxyIsPassedOver(t *testing.T) {
	const (
		mqttFollows = iota
		tlsFollows
		nothing
	)

	const (
		ask     = "CONNECT broker.example:1883 HTTP/1.1\r\nHost: broker.example\r\n\r\n"
		answer  = "HTTP/1.1 200 OK\r\n\r\n"
		refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n"
		opened5 = "\x05\x00\x00\x01\x0a\x00\x00\x02\xc3\x50"
		opened4 = "\x00\x5a\x07\x5b\x0a\x00\x00\x02"
	)

	mqtt := []Kind{KindConnect, KindLog, KindAck}
	for name, test := range map[string]struct {
		words   []string // of the client and the proxy in turn
		follows int
		want    []Kind
		notMQTT NotMQTT
	}{
		"SOCKS 5":                {words: []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x0ebroker.example\x07\x5b", opened5}, want: mqtt},
		"SOCKS 5, several ways":  {words: []string{"\x05\x03\x00\x01\x02", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x07\x5b", opened5}, want: mqtt},
		"SOCKS 5 with password":  {words: []string{"\x05\x02\x00\x02", "\x05\x02", "\x01\x02me\x06secret", "\x01\x00", "\x05\x01\x00\x04 \x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x07\x5b", "\x05\x00\x00\x04" + strings.Repeat("\x00", 18)}, want: mqtt},
		"SOCKS 4":                {words: []string{"\x04\x01\x07\x5b\xc0\x00\x02\x01me\x00", opened4}, want: mqtt},
		"SOCKS 4A":               {words: []string{"\x04\x01\x07\x5b\x00\x00\x00\x01\x00broker.example\x00", opened4}, want: mqtt},
		"SOCKS 5, TLS":           {words: []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x22\xb3", opened5}, follows: tlsFollows, want: []Kind{KindEncrypted}},
		"SOCKS 5, website":       {words: []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", opened5}, follows: tlsFollows, notMQTT: NotMQTT{Other: 1, Bytes: 45}},
		"SOCKS 5, refused":       {words: []string{"\x05\x01\x00", "\x05\xff"}, follows: nothing, notMQTT: NotMQTT{Other: 1, Bytes: 5}},
		"password, with length":  {words: []string{ask, refusal + "content-length: 4\r\n\r\nsee\n", ask, answer}, want: mqtt},
		"password, in chunks":    {words: []string{ask, refusal + "Transfer-Encoding: chunked\r\n\r\n3\r\nsee\r\n0\r\n\r\n", ask, answer}, want: mqtt},
		"password, chunks of 0":  {words: []string{ask, refusal + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ask, answer}, want: mqtt},
		"password, without text": {words: []string{ask, refusal + "\r\n", ask, answer}, want: mqtt},
		"password, twice":        {words: []string{ask, refusal + "\r\n", ask, refusal + "\r\n", ask, answer}, want: mqtt},
		"refused":                {words: []string{ask, refusal + "Content-Length: 4\r\n\r\nsee\n"}, follows: nothing, notMQTT: NotMQTT{HTTP: 1, Bytes: int64(len(refusal)) + 25}},
	} {
		for _, size := range []int{1, 7, 1400} {
			s := newScript(t, "10.0.0.1:40000", "10.0.0.2:1080").handshake()
			for i, words := range test.words {
				s.say(i%2, size, []byte(words))
			}
			switch test.follows {
			case tlsFollows:
				s.say(client, size, []byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"))
				s.say(server, size, []byte("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x03"))
			case mqttFollows:
				s.say(client, size, s.packet(MQTT{Type: PacketConnect, Version: Version5, Connect: Connect{ClientID: []byte("c")}}))
				s.upload(Version5, 1, 1400, logVectors(t)[0])
			}
			messages, stats := readScript(t, s.packets)
			if !slices.Equal(kinds(messages), test.want) || !stats.Lossless() || stats.NotMQTT != test.notMQTT {
				t.Errorf("%s in pieces of %d: got %v, %+v, want %v, %+v", name, size, kinds(messages), stats, test.want, test.notMQTT)
			}
		}
	}
}

// What client and proxy say is unsure in every part and known when it is whole, without
// what follows.
func TestTalkWithAProxyIsUnsureInPart(t *testing.T) {
	httpAnswer := func(b []byte) (int, guess) { n, _, g := parseTunnelAnswer(b); return n, g }
	for _, test := range []struct {
		parse       func([]byte) (int, guess)
		words, rest string
	}{
		{parseSOCKS, "\x05\x01\x00\x05\x01\x00\x03\x01b\x07\x5b", "rest"},
		{parseSOCKS, "\x05\x02\x00\x02\x01\x02me\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x07\x5b", "\x05"},
		{parseSOCKS, "\x04\x01\x07\x5b\x00\x00\x00\x01me\x00b\x00", "\x00"},
		{parseSOCKS, "\x04\x01\x07\x5b\x00\x00\x00\x00\x00", "rest"},
		{parseSOCKSAnswer, "\x05\x00\x05\x00\x00\x01\x0a\x00\x00\x02\xc3\x50", "rest"},
		{parseSOCKSAnswer, "\x05\x02\x01\x00\x05\x00\x00\x03\x01b\xc3\x50", "rest"},
		{parseSOCKSAnswer, "\x00\x5a\x07\x5b\x0a\x00\x00\x02", "\x00"},
		{httpAnswer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "rest"},
		{httpAnswer, "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", "rest"},
		{httpAnswer, "HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "rest"},
	} {
		all := test.words + test.rest
		for i := range len(all) + 1 {
			n, g := test.parse([]byte(all[:i]))
			if whole := i >= len(test.words); whole && (g != yes || n != len(test.words)) || !whole && (g != unsure || n != 0) {
				t.Errorf("%q: of %d bytes got %d, %v, want %d", all, i, n, g, len(test.words))
			}
		}
	}

	for _, s := range []string{
		"\x05\x00", "\x05\x01\x00\x05\x02", "\x05\x01\x00\x05\x01\x00\x02", "\x05\x01\x00\x05\x01\x00\x03\x00", "\x05\x01\x00\x05\x01\x00\x03\x01b\x01\xbb",
		"\x04\x02", "\x04\x01\x01\xbb\xc0\x00\x02\x01\x00", "\x04\x01\x07\x5b\xc0\x00\x02\x01" + strings.Repeat("m", 300), "\x16\x03", "\x10",
	} {
		if n, g := parseSOCKS([]byte(s)); n != 0 || g != no {
			t.Errorf("client %q: got %d, %v, want 0, %v", s, n, g, no)
		}
	}
	for _, s := range []string{"\x05\xff", "\x05\x02\x01\x01", "\x05\x00\x05\x05", "\x00\x5b", " \x00"} {
		if n, g := parseSOCKSAnswer([]byte(s)); n != 0 || g != no {
			t.Errorf("proxy %q: got %d, %v, want 0, %v", s, n, g, no)
		}
	}
	for _, s := range []string{"HTTP/2", "HTTP/1.1\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: many\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 " + strings.Repeat("x", maxTunnelHead)} {
		if n, g := httpAnswer([]byte(s)); n != 0 || g != no {
			t.Errorf("HTTP proxy %q: got %d, %v, want 0, %v", s, n, g, no)
		}
	}
}

// FuzzProxy takes any bytes for a proxy's introduction, whole or in part: what is
// unsure in full was unsure in part, and no length goes beyond the bytes.
func FuzzProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.5 198.51.100.1 4711 1883\r\nrest"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(proxyV2 + "\x21\x11\x00\x0c\xcb\x00\x71\x05\xc6\x33\x64\x01\x12\x67\x07\x5brest"))
	f.Add([]byte("PROXY  \r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, client, g := parseProxy(b)
		if n < 0 || n > len(b) || (g != yes) != (n == 0) || g != yes && client.IsValid() {
			t.Fatalf("%q: got %d bytes, %v, client %v, want bytes exactly with %v and at most all, and a client only then", b, n, g, client, yes)
		}
		if g != yes {
			return
		}
		for i := range n {
			if _, _, part := parseProxy(b[:i]); part != unsure {
				t.Errorf("%q: got %v of %d bytes of %d, want %v", b, part, i, n, unsure)
			}
		}
	})
}
