package wire

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// script makes up the packets of one TCP connection.
type script struct {
	t       testing.TB
	ends    [2]netip.AddrPort // client, server
	seq     [2]uint32
	packets []scripted
	now     time.Time
}

// scripted is one packet, from IP on.
type scripted struct {
	time time.Time
	data []byte
}

var epoch = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

const client, server = 0, 1

func newScript(t testing.TB, clientEnd, serverEnd string) *script {
	return &script{t: t, ends: [2]netip.AddrPort{netip.MustParseAddrPort(clientEnd), netip.MustParseAddrPort(serverEnd)}, now: epoch}
}

// talk4 is a connection that was made by a handshake.
func talk4(t testing.TB) *script {
	return newScript(t, "192.0.2.1:40000", "192.0.2.2:1883").handshake()
}

func (s *script) handshake() *script {
	s.send(client, tcpFlags{syn: true}, nil)
	s.send(server, tcpFlags{syn: true, ack: true}, nil)
	s.send(client, tcpFlags{ack: true}, nil)
	return s
}

// send adds a packet, one millisecond after the last.
func (s *script) send(from int, flags tcpFlags, b []byte) {
	s.t.Helper()
	src, dst := s.ends[from], s.ends[1-from]
	tcp := layers.TCP{
		SrcPort: layers.TCPPort(src.Port()), DstPort: layers.TCPPort(dst.Port()), Seq: s.seq[from], Ack: s.seq[1-from],
		SYN: flags.syn, ACK: flags.ack, PSH: flags.psh, FIN: flags.fin, RST: flags.rst, Window: 65535,
	}

	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	} = &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}

	if src.Addr().Is6() {
		ip = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice()}
	}
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		s.t.Fatal(err)
	}

	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, &tcp, gopacket.Payload(b)); err != nil {
		s.t.Fatal(err)
	}
	s.now = s.now.Add(time.Millisecond)
	s.packets = append(s.packets, scripted{s.now, slices.Clone(buf.Bytes())})
	s.seq[from] += uint32(len(b))
	if flags.syn || flags.fin {
		s.seq[from]++
	}
}

// say sends bytes in segments of at most size bytes.
func (s *script) say(from int, size int, messages ...[]byte) {
	s.t.Helper()
	for b := range slices.Chunk(bytes.Join(messages, nil), size) {
		s.send(from, tcpFlags{ack: true, psh: true}, b)
	}
}

// packet returns the bytes of a control packet.
func (s *script) packet(m MQTT) []byte {
	s.t.Helper()
	b, err := m.AppendTo(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// connect lets the client connect and the server accept.
func (s *script) connect(version uint8) {
	s.t.Helper()
	s.say(client, 1400, s.packet(MQTT{Version: version, Type: PacketConnect, Connect: Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte("cust-C"), HasUsername: true, Username: []byte("canary-user"), HasPassword: true, Password: []byte("canary-password")}}))
	s.say(server, 1400, s.packet(MQTT{Version: version, Type: PacketConnack}))
}

// upload lets the client publish a log and the server acknowledge it.
func (s *script) upload(version uint8, id uint16, size int, log []byte) {
	s.t.Helper()
	s.say(client, size, s.packet(MQTT{Version: version, Type: PacketPublish, QoS: 1, PacketID: id, Topic: []byte("binlog/v0/C/A"), Payload: log}))
	s.say(server, 1400, s.packet(MQTT{Version: version, Type: PacketPuback, PacketID: id}))
}

// linkHead returns what stands before an IP packet on a link.
func linkHead(link layers.LinkType, ip []byte) []byte {
	v6 := ip[0]>>4 == 6
	ethertype := []byte{0x08, 0x00}
	if v6 {
		ethertype = []byte{0x86, 0xdd}
	}
	switch link {
	case layers.LinkTypeEthernet:
		return slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, ethertype)
	case layers.LinkTypeNull:
		if v6 {
			return []byte{24, 0, 0, 0}
		}
		return []byte{2, 0, 0, 0}
	case layers.LinkTypeLoop:
		return []byte{0, 0, 0, 2}
	case layers.LinkTypeLinuxSLL:
		return slices.Concat([]byte{0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}, ethertype)
	}
	return nil
}

// pcap returns the packets as a file.
func pcap(t testing.TB, link layers.LinkType, packets []scripted) []byte {
	t.Helper()
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65536, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		data := append(linkHead(link, p.data), p.data...)
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: p.time, CaptureLength: len(data), Length: len(data)}, data); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// read returns the messages in a capture file, with copies of the payloads.
func read(t testing.TB, file io.Reader, config CaptureConfig) ([]Message, Stats, error) {
	t.Helper()
	c, err := NewCapture(file, config)
	if err != nil {
		return nil, Stats{}, err
	}
	var out []Message
	for m := range c.All() {
		m.Payload = slices.Clone(m.Payload)
		m.ReasonCodes = slices.Clone(m.ReasonCodes)
		m.Password = slices.Clone(m.Password)
		out = append(out, m)
	}
	return out, c.Stats(), c.Err()
}

// readScript reads what should be read without trouble.
func readScript(t testing.TB, packets []scripted) ([]Message, Stats) {
	t.Helper()
	messages, stats, err := read(t, bytes.NewReader(pcap(t, layers.LinkTypeEthernet, packets)), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return messages, stats
}

func kinds(messages []Message) []Kind {
	var out []Kind
	for _, m := range messages {
		out = append(out, m.Kind)
	}
	return out
}
