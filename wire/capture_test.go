package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"

	"github.com/ulogkit/ulogkit/format"
)

var wholeTalk = []Kind{KindConnect, KindConnack, KindLog, KindAck}

// wholeScript is a connection with one log on it.
func wholeScript(t testing.TB, version uint8, log []byte) *script {
	s := talk4(t)
	s.connect(version)
	s.upload(version, 7, 100, log)
	return s
}

func TestConversationIsReadInBothVersions(t *testing.T) {
	log := logVectors(t)[0]
	for _, version := range []uint8{Version5, Version311} {
		messages, stats := readScript(t, wholeScript(t, version, log).packets)
		if got := kinds(messages); !slices.Equal(got, wholeTalk) {
			t.Fatalf("version %d: %v, want %v", version, got, wholeTalk)
		}
		connect, up, ack := messages[0], messages[2], messages[3]
		if connect.ClientID != "cust-C" || connect.Version != version || connect.KeepAlive != 60 || !connect.CleanStart || connect.Username != "" || connect.Password != nil {
			t.Errorf("got connect %+v, want cust-C, version %d, keep-alive 60, a clean start, no username and no password", connect, version)
		}

		if up.Topic != "binlog/v0/C/A" || up.PacketID != 7 || up.QoS != 1 || up.Err != nil || up.PayloadSize != len(log) ||
			up.Source.String() != "192.0.2.1:40000" || up.Destination.String() != "192.0.2.2:1883" {
			t.Errorf("got log %+v, want packet 7 on binlog/v0/C/A at QoS 1 with %d bytes, from 192.0.2.1:40000 to 192.0.2.2:1883, without error", up, len(log))
		}

		if !bytes.Equal(up.Payload[5:], log[5:]) || !bytes.Equal(up.Payload[1:5], make([]byte, 4)) {
			t.Errorf("got payload %x, want %x without its token", up.Payload, log)
		}
		if format.CheckLog(up.Payload) != nil {
			t.Errorf("got error %v of a log without its token, want none", format.CheckLog(up.Payload))
		}

		if ack.Topic != "binlog/v0/C/A" || ack.PacketID != 7 || ack.Latency != time.Millisecond || ack.Source != up.Destination {
			t.Errorf("got ack %+v, want one of packet 7 on binlog/v0/C/A after %v, from %v", ack, time.Millisecond, up.Destination)
		}
		if !stats.Lossless() || stats.Connections != 1 || stats.Messages != 4 || stats.Packets != stats.Segments {
			t.Errorf("got stats %+v, want 1 connection, 4 messages, every packet a segment and no loss", stats)
		}
	}
}

// Every link, both versions of IP, both kinds of files.
func TestEveryLinkIsRead(t *testing.T) {
	log := logVectors(t)[0]
	v6 := newScript(t, "[2001:db8::1]:40000", "[2001:db8::2]:1883").handshake()
	v6.connect(Version5)
	v6.upload(Version5, 7, 100, log)
	for _, packets := range [][]scripted{wholeScript(t, Version5, log).packets, v6.packets} {
		for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeNull, layers.LinkTypeLoop, layers.LinkTypeLinuxSLL, layers.LinkTypeRaw, layers.LinkTypeIPv4} {
			if link == layers.LinkTypeLoop && packets[0].data[0]>>4 == 6 {
				continue
			}
			messages, stats, err := read(t, bytes.NewReader(pcap(t, link, packets)), CaptureConfig{})
			if err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
				t.Errorf("link %v: got %v, %+v, %v, want %v without a loss", link, kinds(messages), stats, err, wholeTalk)
			}
		}
		// Two links that gopacket has no number or no layer for.
		vlan, sll2 := slices.Clone(packets), slices.Clone(packets)
		for i, p := range packets {
			ethertype := linkHead(layers.LinkTypeEthernet, p.data)[12:]
			vlan[i].data = slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 5}, ethertype, p.data)
			sll2[i].data = slices.Concat(ethertype, make([]byte, 18), p.data)
		}
		// Links of modems, of wireless networks and of other systems, with what stands
		// before the packet.
		for link, heads := range map[uint16][][]byte{
			linkPPP:       {{0xff, 3, 0, 0x21}, {0, 0x21}, {0x21}},
			linkPPPSerial: {{0xff, 3, 0, 0x21}},
			linkPPPEther:  {{0x11, 0, 0, 1, 0, 0, 0, 0x21}},
			linkCiscoHDLC: {{0x0f, 0, 8, 0}},
			linkPFLog:     {slices.Concat([]byte{61}, make([]byte, 63))},
			linkPktap:     {{12, 0, 0, 0, 1, 0, 0, 0, linkRaw, 0, 0, 0}},
			linkWifi: {
				slices.Concat([]byte{8, 1}, make([]byte, 22), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}),
				slices.Concat([]byte{0x88, 0x83}, make([]byte, 34), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}),
			},
			linkRadiotap: {slices.Concat([]byte{0, 0, 9, 0, 0, 0, 0, 0, 0, 0x88, 2}, make([]byte, 24), []byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0})},
		} {
			for _, head := range heads {
				framed := slices.Clone(packets)
				for i, p := range packets {
					head := slices.Clone(head)
					if p.data[0]>>4 == 6 {
						if k := bytes.LastIndex(head, []byte{8, 0}); k >= 0 && k == len(head)-2 {
							head[k], head[k+1] = 0x86, 0xdd
						} else if head[len(head)-1] == 0x21 {
							head[len(head)-1] = 0x57
						}
					}
					framed[i].data = slices.Concat(head, p.data)
				}
				messages, stats, err := read(t, bytes.NewReader(pcapng(t, binary.LittleEndian, link, framed)), CaptureConfig{})
				if err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
					t.Errorf("link %d, % x: got %v, %+v, %v, want %v without a loss", link, head, kinds(messages), stats, err, wholeTalk)
				}
			}
		}

		for name, file := range map[string][]byte{"vlan": pcapng(t, binary.LittleEndian, linkEthernet, vlan), "sll2": pcapng(t, binary.BigEndian, linkLinuxSLL2, sll2)} {
			messages, stats, err := read(t, bytes.NewReader(file), CaptureConfig{})
			if err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
				t.Errorf("%s: got %v, %+v, %v, want %v without a loss", name, kinds(messages), stats, err, wholeTalk)
			}
		}
	}
}

// pcapng writes a pcapng file by hand, in either byte order and with any link.
func pcapng(t testing.TB, order binary.AppendByteOrder, link uint16, packets []scripted) []byte {
	t.Helper()
	var file []byte
	block := func(typ uint32, body []byte) {
		body = append(body, make([]byte, -len(body)&3)...)
		n := uint32(len(body) + 12)
		file = order.AppendUint32(order.AppendUint32(file, typ), n)
		file = order.AppendUint32(append(file, body...), n)
	}
	block(blockSection, append(order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, 0x1a2b3c4d), 1), 0), bytes.Repeat([]byte{0xff}, 8)...))
	iface := order.AppendUint32(order.AppendUint16(order.AppendUint16(nil, link), 0), 0)
	iface = append(order.AppendUint16(order.AppendUint16(iface, 9), 1), 9, 0, 0, 0)
	block(blockInterface, append(iface, 0, 0, 0, 0))
	block(0x0bad, []byte("skipped"))
	for _, p := range packets {
		ns := uint64(p.time.UnixNano())
		head := order.AppendUint32(order.AppendUint32(order.AppendUint32(nil, 0), uint32(ns>>32)), uint32(ns))
		head = order.AppendUint32(order.AppendUint32(head, uint32(len(p.data))), uint32(len(p.data)))
		block(blockEnhanced, append(head, p.data...))
	}
	return file
}

// However segments are cut, repeated and put out of order, the same is read.
func TestOrderOfSegmentsDoesNotMatter(t *testing.T) {
	logs := logVectors(t)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
		s.seq = [2]uint32{-uint32(rng.IntN(3000)), -uint32(rng.IntN(50))} // wraps on the way
		s.handshake()
		s.connect(Version5)
		first := len(s.packets)
		var all []byte
		for i, log := range logs {
			all = append(all, s.packet(MQTT{Type: PacketPublish, QoS: 1, PacketID: uint16(i + 1), Topic: []byte("binlog/v0/C/A"), Payload: log})...)
		}
		s.say(client, 1+rng.IntN(300), all)
		packets := s.packets[:first:first]
		body := slices.Clone(s.packets[first:])
		for range len(body) / 4 { // retransmissions
			body = append(body, body[rng.IntN(len(body))])
		}

		for i := range body { // up to eight places too late
			j := min(i+rng.IntN(8), len(body)-1)
			body[i], body[j] = body[j], body[i]
		}

		for i := range body {
			body[i].time = epoch.Add(time.Second + time.Duration(i)*time.Millisecond)
		}
		messages, stats := readScript(t, append(packets, body...))
		if len(messages) != 2+len(logs) || stats.Gaps != 0 || stats.LostBytes != 0 {
			t.Fatalf("seed %d: got %v, %+v, want %d messages and no gap or loss", seed, kinds(messages), stats, 2+len(logs))
		}

		for i, m := range messages[2:] {
			if m.PacketID != uint16(i+1) || !bytes.Equal(m.Payload[5:], logs[i][5:]) || m.Err != nil {
				t.Fatalf("seed %d: message %d: got %+v, want packet %d with the log that was sent and no error", seed, i, m, i+1)
			}
		}
	}
}

// A segment that was not captured costs the messages it touches, and no other.
func TestGapCostsOnlyWhatItTouches(t *testing.T) {
	log := logVectors(t)[0]
	for drop := 5; drop < 5+18; drop++ {
		s := talk4(t)
		s.connect(Version5)
		for id := range uint16(3) {
			s.upload(Version5, id+1, 100, log)
		}
		messages, stats := readScript(t, slices.Delete(slices.Clone(s.packets), drop, drop+1))
		var got, lost []uint16
		gaps := 0
		for _, m := range messages {
			switch {
			case m.Kind == KindLog:
				got = append(got, m.PacketID)
			case m.Kind == KindCut && m.PacketID > 0 && m.Topic == "binlog/v0/C/A":
				if m.PayloadSize != len(log) || m.Captured <= 0 || m.Captured >= len(log) {
					t.Errorf("dropped %d: got %d of %d bytes captured, want some and not all of %d", drop, m.Captured, m.PayloadSize, len(log))
				}
				lost = append(lost, m.PacketID)
			case m.Kind == KindAck && m.Topic == "":
				lost = append(lost, m.PacketID)
			case m.Kind == KindGap:
				gaps++
				if m.Lost <= 0 || m.Lost > 100 || !strings.HasPrefix(m.Trouble(), fmt.Sprint(m.Lost, " bytes were not captured")) {
					t.Errorf("dropped %d: got %+v, %q, want 1 to 100 bytes lost, and told first", drop, m, m.Trouble())
				}
			case m.Kind == KindMalformed:
				t.Errorf("dropped %d: got a malformed packet, want none: %s", drop, m.Trouble())
			}
		}

		if gaps != 1 || stats.Gaps != 1 || stats.Lossless() {
			t.Errorf("dropped %d: got %d gaps, %+v, want 1 of each and a loss", drop, gaps, stats)
		}

		// A lost acknowledgement costs none.
		if len(got)+len(lost) != 3 || len(lost) > 1 {
			t.Errorf("dropped %d: got %v read and %v lost, want 3 in all and at most 1 lost: %v", drop, got, lost, kinds(messages))
		}
	}
}

// Inside a packet of known length a gap does not lose the place: what follows
// is read although nothing about it is proof.
func TestGapInsideAPacketKeepsThePlace(t *testing.T) {
	for _, size := range []int{900, maxMessage} {
		s := talk4(t)
		s.connect(Version5)
		first := len(s.packets)
		s.say(client, 1000, publish(t, "logs/v0/C/A", 0, make([]byte, size)), publish(t, "logs/v0/C/A", 0, make([]byte, 3000)), publish(t, "ab", 0, []byte("after")))
		last := len(s.packets) - 3

		for _, drop := range []int{first + 2, last} {
			if size == 900 && drop == last {
				continue
			}
			messages, stats := readScript(t, slices.Delete(slices.Clone(s.packets), drop, drop+1))
			if n := len(messages); messages[n-1].Topic != "ab" || string(messages[n-1].Payload) != "after" || stats.Gaps != 1 || stats.Malformed != 0 {
				t.Errorf("size %d, dropped %d: got %v, %+v, want \"after\" on \"ab\" last, 1 gap and nothing malformed",
					size, drop-first, kinds(messages), stats)
			}
			for _, m := range messages {
				if m.Kind == KindResync {
					t.Errorf("size %d, dropped %d: got the place lost, want it kept: %s", size, drop-first, m.Trouble())
				}
			}
		}
	}
}

// A segment that is nearly MQTT everywhere does not take quadratic time.
func TestNearlyMQTTTakesNoQuadraticTime(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	pings := bytes.Repeat([]byte("\xc0\x00"), 30000)
	for range 4 {
		s.say(client, 65000, []byte{0}, pings, []byte{0})
	}
	start := time.Now()
	_, stats := readScript(t, s.packets)
	if elapsed := time.Since(start); elapsed > time.Minute || stats.LostBytes != 4*60002 {
		t.Errorf("got %+v after %v, want %d bytes lost within a minute", stats, elapsed, 4*60002)
	}
}

// A long packet in the smallest segments does not take quadratic time either.
func TestSmallSegmentsTakeNoQuadraticTime(t *testing.T) {
	got := 0
	c := &Capture{yield: func(m Message) bool { got += m.PayloadSize; return true }}
	s := c.open(netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:1883"))
	s.Started(client)
	const size = maxMessage - 100
	stream := (&script{t: t}).packet(MQTT{Type: PacketConnect})
	stream = append(stream, publish(t, "logs/v0/C/A", 0, make([]byte, size))...)
	start := time.Now()
	for i := range stream {
		s.Data(client, epoch, stream[i:i+1])
	}
	if elapsed := time.Since(start); elapsed > time.Minute || got != size {
		t.Errorf("got %d bytes after %v, want %d within %v", got, elapsed, size, time.Minute)
	}
}

// A capture that begins at any packet finds the next message.
func TestNextMessageIsFoundMidStream(t *testing.T) {
	log := logVectors(t)[0]
	for _, version := range []uint8{Version5, Version311} {
		for _, size := range []int{100, 1400} {
			s := newScript(t, "192.0.2.1:40000", "192.0.2.2:8080").handshake()
			s.connect(version)
			first := len(s.packets)
			const uploads = 4
			for id := range uint16(uploads) {
				s.upload(version, id+1, size, log)
			}
			perUpload := (len(s.packets) - first) / uploads

			for begin := first; begin < len(s.packets)-perUpload; begin++ {
				messages, stats := readScript(t, s.packets[begin:])
				skipped := (begin - first + perUpload - 1) / perUpload // uploads begun before
				if (begin-first)%perUpload == perUpload-1 {
					skipped = (begin-first)/perUpload + 1
				}
				var got []uint16
				for _, m := range messages {
					if m.Kind == KindLog && m.Err == nil {
						got = append(got, m.PacketID)
					}
				}
				if len(got) != uploads-skipped || stats.Malformed > 0 {
					t.Errorf("version %d, size %d, from packet %d of %d: read %v, want %d, %v", version, size, begin-first, perUpload, got, uploads-skipped, kinds(messages))
				}
			}
		}
	}
}

// One side of a connection is enough.
func TestOneSideOfAConnectionIsEnough(t *testing.T) {
	s := wholeScript(t, Version5, logVectors(t)[0])
	for side, want := range [][]Kind{{KindConnect, KindLog}, {KindConnack, KindAck}} {
		var packets []scripted
		for _, p := range s.packets {
			if p.data[15] == byte(side+1) { // the last byte of the source address
				packets = append(packets, p)
			}
		}
		messages, _ := readScript(t, packets)
		if got := kinds(messages); !slices.Equal(got, want) {
			t.Errorf("side %d: %v, want %v", side, got, want)
		}
	}
}

func TestConnectionsAreKeptApart(t *testing.T) {
	log := logVectors(t)[0]
	var packets []scripted
	const n = 20
	for i := range n {
		s := newScript(t, fmt.Sprintf("192.0.2.1:%d", 40000+i), "192.0.2.2:1883").handshake()
		s.connect(Version5)
		s.upload(Version5, uint16(i+1), 200, log)
		packets = append(packets, s.packets...)
	}

	slices.SortStableFunc(packets, func(a, b scripted) int { return a.time.Compare(b.time) })
	messages, stats := readScript(t, packets)
	got := map[uint16]int{}
	for _, m := range messages {
		if m.Kind == KindLog || m.Kind == KindAck && m.Latency >= 0 {
			got[m.PacketID]++
		}
	}

	if len(got) != n || stats.Connections != n {
		t.Errorf("got logs and acknowledgements %v, %+v, want those of %d connections", got, stats, n)
	}
	for id, k := range got {
		if k != 2 {
			t.Errorf("packet %d: got %d messages, want 2", id, k)
		}
	}

	// The same ports again are another connection.
	twice := slices.Concat(wholeScript(t, Version5, log).packets, wholeScript(t, Version5, log).packets[:0])
	again := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
	again.seq = [2]uint32{1 << 20, 1 << 21}
	again.handshake()
	again.connect(Version5)
	again.upload(Version5, 9, 100, log)
	messages, stats = readScript(t, append(twice, again.packets...))
	if !slices.Equal(kinds(messages), append(slices.Clone(wholeTalk), wholeTalk...)) || stats.Connections != 2 {
		t.Errorf("got %v, %+v, want two connections, of %v each", kinds(messages), stats, wholeTalk)
	}
}

func TestEncryptedConnectionsAreTold(t *testing.T) {
	hello := append([]byte{0x16, 3, 1, 0, 100}, bytes.Repeat([]byte{1}, 100)...)
	records := append([]byte{0x17, 3, 3, 1, 0}, bytes.Repeat([]byte{2}, 256)...)
	named := append(slices.Clone(hello), "x-amzn-mqtt-ca"...)

	for _, test := range []struct {
		name      string
		port      string
		handshake bool
		first     []byte
		want      []Kind
	}{
		{"from the start", "8883", true, hello, []Kind{KindEncrypted}},
		{"mid-stream", "8883", false, records, []Kind{KindEncrypted}},
		{"web", "443", true, hello, nil},
		{"web with mqtt", "443", true, named, []Kind{KindEncrypted}},
	} {
		s := newScript(t, "192.0.2.1:40000", "192.0.2.2:"+test.port)
		if test.handshake {
			s.handshake()
		}
		s.say(client, 200, test.first)
		s.say(server, 1400, records)
		messages, stats := readScript(t, s.packets)
		if !slices.Equal(kinds(messages), test.want) || int(stats.Encrypted) != len(test.want) {
			t.Errorf("%s: got %v, %+v, want %v, all encrypted", test.name, kinds(messages), stats, test.want)
		}
		for _, m := range messages {
			if !strings.Contains(m.Trouble(), "--tap") {
				t.Errorf("%s: got trouble %q, want --tap in it", test.name, m.Trouble())
			}
		}
	}
}

// What is not MQTT is passed over in silence.
func TestForeignProtocolsArePassedOver(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, handshake := range []bool{true, false} {
		for _, b := range [][]byte{[]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), []byte("SSH-2.0-x\r\n"), []byte("\x10\x02ab"), []byte("220 mail\r\n"), []byte("junk\x30\x06\x00\x03a/b\x00"), noise} {
			s := newScript(t, "192.0.2.1:40000", "192.0.2.2:8080")
			if handshake {
				s.handshake()
			}
			s.say(client, 1400, b)
			s.say(server, 1400, b)
			if messages, _ := readScript(t, s.packets); len(messages) != 0 {
				t.Errorf("handshake %v, %.20q: got %v, want no messages", handshake, b, kinds(messages))
			}
		}
	}
}

func TestSecretsAreHiddenUnlessAskedFor(t *testing.T) {
	const token = 0xa1b2c3d5
	log := slices.Clone(logVectors(t)[0])
	l, _, err := format.ParseLog(log)
	if err != nil {
		t.Fatal(err)
	}
	l.SetSessionToken(token)
	s := talk4(t)
	s.connect(Version5)
	say := func(from int, topic, payload string) {
		s.say(from, 1400, publish(t, topic, 1, []byte(payload)))
	}
	say(client, "boot/v0/C/A", `{"device_type":"Sensor","git":"abc","serial":"SN-1","version":"1.0"}`)
	say(server, "boot/v0/C/A/SN-1", `{"token": 2712847317}`)
	say(server, "boot/v0/C/A/SN-1", `{"token": -2712847317}`)
	say(server, "boot/v0/C/A/SN-1", `{"token": "2712847317`)
	say(server, "upload/v0/C/42", `{"upload_id":"42","presigned_url":"https://canary-url"}`)
	say(server, "config/v0/C/A/SN-1", "\x01\xff\xff\xff\xff\x0a\x00\x00\x00")
	say(server, "config/v0/C/A/SN-1", "\x01\xff\xff\xff\xff\x0a\x00\x00\x00[")
	say(client, "binlog/v0/C/A", string(log))
	say(client, "binlog/v0/C/A", "\x09\xd5\xc3\xb2\xa1 unknown version")
	say(client, "core-dump/v0/C", string(coreVectors(t)[0]))
	file := pcap(t, layers.LinkTypeEthernet, s.packets)

	hidden, stats, err := read(t, bytes.NewReader(file), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Kind{KindConnect, KindConnack, KindBootRequest, KindBootReply, KindBootReply, KindBootReply, KindFirmwareReply, KindConfig, KindConfig, KindLog, KindLog, KindCoreDump}
	if got := kinds(hidden); !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for _, m := range hidden {
		text := fmt.Sprintf("%+v %s %v %s", m, m.Payload, m.Err, m.Trouble())
		for _, canary := range []string{"canary", "2712847317", "\xd5\xc3\xb2\xa1"} {
			if strings.Contains(text, canary) {
				t.Errorf("%v: got %q shown, want it hidden: %q", m.Kind, canary, text)
			}
		}
	}
	bad := []bool{false, false, false, false, true, true, false, false, true, false, true, false}
	for i, m := range hidden {
		if (m.Err != nil) != bad[i] {
			t.Errorf("message %d, %v: got error %v, want one: %v", i, m.Kind, m.Err, bad[i])
		}
	}
	if stats.Bad != 4 {
		t.Errorf("got %d bad, want 4", stats.Bad)
	}
	if m := hidden[2]; m.Boot != (BootRequest{"Sensor", "abc", "SN-1", "1.0"}) {
		t.Errorf("got boot request %+v, want Sensor, abc, SN-1 and 1.0", m.Boot)
	}
	if m := hidden[3]; m.Latency != time.Millisecond {
		t.Errorf("got a boot reply after %v, want %v", m.Latency, time.Millisecond)
	}

	shown, _, err := read(t, bytes.NewReader(file), CaptureConfig{ShowSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	if shown[0].Username != "canary-user" || string(shown[0].Password) != "canary-password" || shown[3].Token != token ||
		!bytes.Contains(shown[6].Payload, []byte("canary-url")) || !bytes.Equal(shown[9].Payload, log) {
		t.Errorf("got username %q, password %q, token %d, payloads %q and %x, want the secrets, which were asked for",
			shown[0].Username, shown[0].Password, shown[3].Token, shown[6].Payload, shown[9].Payload)
	}
}

// A malformed packet is told and does not hide the next one.
func TestMalformedPacketHidesNoOther(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	s.say(client, 1400, []byte("\x30\x05\x00\x09t#\x00")) // a topic that is longer
	s.upload(Version5, 1, 1400, logVectors(t)[0])
	s.say(client, 1400, []byte("\x00\x00\x00")) // no packet at all
	s.upload(Version5, 2, 1400, logVectors(t)[0])
	messages, stats := readScript(t, s.packets)
	want := []Kind{KindConnect, KindConnack, KindMalformed, KindLog, KindAck, KindMalformed, KindResync, KindLog, KindAck}
	if got := kinds(messages); !slices.Equal(got, want) || stats.Malformed != 2 || stats.LostBytes != 3 {
		t.Fatalf("%v, want %v, %+v", got, want, stats)
	}
	if got := messages[2].Trouble(); got != "not MQTT as the specification has it: mqtt publish.topic at offset 0: ends too early" {
		t.Errorf("got trouble %q, want the topic that ends too early", got)
	}
}

// A packet too long to keep is passed over without losing the place.
func TestOversizePacketKeepsThePlace(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	s.say(client, 60000, publish(t, "binlog/v0/C/A", 0, make([]byte, maxMessage)))
	s.upload(Version5, 1, 1400, logVectors(t)[0])
	messages, _ := readScript(t, s.packets)
	want := []Kind{KindConnect, KindConnack, KindOversize, KindLog, KindAck}
	if got := kinds(messages); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSubscriptionsHaveTheirAnswers(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	s.say(client, 1400, s.packet(MQTT{Type: PacketSubscribe, PacketID: 3, Filters: Filters("\x00\x0econfig/v0/C/A/\x01")}))
	s.say(server, 1400, s.packet(MQTT{Type: PacketSuback, PacketID: 3, ReasonCodes: []byte{0x87}}))
	s.say(client, 1400, s.packet(MQTT{Type: PacketUnsubscribe, PacketID: 4, Filters: Filters("\x00\x01a")}))
	s.say(server, 1400, s.packet(MQTT{Type: PacketUnsuback, PacketID: 4, ReasonCodes: []byte{0}}))
	s.say(client, 1400, s.packet(MQTT{Type: PacketPingreq}))
	s.say(server, 1400, s.packet(MQTT{Type: PacketDisconnect, ReasonCode: 0x8e}))
	messages, _ := readScript(t, s.packets)
	want := []Kind{KindConnect, KindConnack, KindSubscribe, KindSuback, KindUnsubscribe, KindUnsuback, KindDisconnect}
	if got := kinds(messages); !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	if !slices.Equal(messages[2].Filters, []string{"config/v0/C/A/"}) || messages[3].Latency != time.Millisecond || !bytes.Equal(messages[3].ReasonCodes, []byte{0x87}) || messages[6].Reason != "Session taken over" {
		t.Errorf("got %+v, want the filter, its answer after 1 ms with code 0x87 and the broker's reason to leave", messages)
	}
}

// A clock that steps back makes no answer precede its question.
func TestClockThatStepsBackGivesNoLatency(t *testing.T) {
	s := talk4(t)
	s.say(client, 1400, s.packet(MQTT{Type: PacketConnect}))
	s.now = s.now.Add(-time.Hour)
	s.say(server, 1400, s.packet(MQTT{Type: PacketConnack}))
	messages, _ := readScript(t, s.packets)
	if len(messages) != 2 || messages[1].Latency != 0 {
		t.Errorf("got %+v, want two messages and no latency", messages)
	}
}

// An alias stands for its topic.
func TestAliasStandsForItsTopic(t *testing.T) {
	s := talk4(t)
	s.connect(Version5)
	m := MQTT{Type: PacketPublish, Topic: []byte("logs/v0/C/A"), Properties: Properties("\x23\x00\x05")}
	s.say(client, 1400, s.packet(m))
	m.Topic = nil
	s.say(client, 1400, s.packet(m))
	messages, _ := readScript(t, s.packets)
	if len(messages) != 4 || messages[3].Topic != "logs/v0/C/A" || messages[3].Kind != KindTextLog {
		t.Errorf("got %+v, want four messages, the last on the topic of its alias", messages)
	}
}

// The loop over the messages can be left, and a capture is read once.
func TestCaptureCanBeLeftAndIsReadOnce(t *testing.T) {
	c, err := NewCapture(bytes.NewReader(pcap(t, layers.LinkTypeEthernet, wholeScript(t, Version5, logVectors(t)[0]).packets)), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range c.All() {
		break
	}
	if c.Err() != nil {
		t.Errorf("got error %v after a break, want none", c.Err())
	}
	for m := range c.All() {
		t.Errorf("got %v on a second reading, want nothing", m.Kind)
	}
	if !errors.Is(c.Err(), errCaptureUsed) {
		t.Errorf("got error %v, want %v", c.Err(), errCaptureUsed)
	}
}

// A file that was cut off is read to where it was cut.
func TestCutFileIsReadToTheCut(t *testing.T) {
	whole := pcap(t, layers.LinkTypeEthernet, wholeScript(t, Version5, logVectors(t)[0]).packets)
	messages, _, err := read(t, bytes.NewReader(whole[:len(whole)-3]), CaptureConfig{})
	if !errors.Is(err, ErrCapture) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("got error %v, want %v that says \"cut off\"", err, ErrCapture)
	}
	if got := kinds(messages); !slices.Equal(got, wholeTalk[:3]) {
		t.Errorf("%v, want %v", got, wholeTalk[:3])
	}
}
