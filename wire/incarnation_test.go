package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

// talkFrom is a connection with one log on it whose streams begin at the given
// numbers.
func talkFrom(t testing.TB, client, server uint32, topic string, uploads int) *script {
	s := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
	s.seq = [2]uint32{client, server}
	s.handshake()
	s.connect(Version5)
	for id := range uploads {
		s.say(0, 300, publish(t, topic, uint16(id+1), logVectors(t)[0]))
		s.say(1, 300, s.packet(MQTT{Type: PacketPuback, PacketID: uint16(id + 1)}))
	}
	return s
}

// only returns the packets of one side.
func only(side int, packets []scripted) []scripted {
	return slices.DeleteFunc(slices.Clone(packets), func(p scripted) bool { return p.data[15] != byte(side+1) })
}

// A device that comes back from the same port, with any number, is read on,
// whichever side was captured, whether or not it had said goodbye.
//
// Case capture/reboot-both-lower-longer, and its kind.
func TestReusedPortIsANewConnection(t *testing.T) {
	const isn, serverISN = 6509, 990000
	for name, second := range map[string][2]uint32{
		"same":             {isn, 980000},
		"same on both":     {isn, serverISN},
		"same, server up":  {isn, serverISN + 1<<22},
		"lower":            {isn - 5000, 12},
		"lower by one":     {isn - 1, 980000},
		"within the first": {isn + 700, 980000},
		"far up":           {isn + 1<<30, 980000},
		"far down":         {1<<32 - 1<<30, 3 << 30},
	} {
		for _, sides := range []string{"both", "client", "server"} {
			for _, finished := range []bool{false, true} {
				if sides == "server" && name == "same" && finished {
					continue // the same as far as a server shows
				}
				if name == "same on both" && (sides != "both" || !finished) {
					continue // the same as far as numbers show, until both have said goodbye
				}

				first := talkFrom(t, isn, serverISN, "binlog/v0/C/A", 2)
				if finished {
					first.send(client, tcpFlags{fin: true, ack: true}, nil)
					first.send(server, tcpFlags{fin: true, ack: true}, nil)
				}

				packets := append(first.packets, talkFrom(t, second[0], second[1], "binlog/v0/C/B", 3).packets...)
				switch sides {
				case "client":
					packets = only(client, packets)
				case "server":
					packets = only(server, packets)
				}

				messages, stats := readScript(t, packets)
				logs, acks := map[string]int{}, 0
				for _, m := range messages {
					if m.Kind == KindLog && m.Err == nil {
						logs[m.Topic]++
					} else if m.Kind == KindAck {
						acks++
					}
				}

				if sides != "server" && (logs["binlog/v0/C/A"] != 2 || logs["binlog/v0/C/B"] != 3) || sides != "client" && acks != 5 || stats.Connections != 2 {
					t.Errorf("%s, %s, finished %v: got logs %v, %d acks, %d connections, want 2 and 3, 5, 2: %v", name, sides, finished, logs, acks, stats.Connections, kinds(messages))
				}
			}
		}
	}
}

// A SYN and a reset that an attacker sends into a stream change nothing.
//
// Source: RFC 5961 sections 3 and 4. Case capture/rst-out-of-window.
func TestForgedSegmentsChangeNothing(t *testing.T) {
	want := kinds(mustRead(t, talkFrom(t, 1000, 5000, "binlog/v0/C/A", 3).packets))
	for name, forge := range map[string]func(s *script){
		"client SYN":           func(s *script) { s.seq[client] = 77; s.send(client, tcpFlags{syn: true}, nil) },
		"client SYN near":      func(s *script) { s.seq[client] += 3000; s.send(client, tcpFlags{syn: true}, nil) },
		"server SYN":           func(s *script) { s.seq[server] = 1 << 31; s.send(server, tcpFlags{syn: true, ack: true}, nil) },
		"server reset ahead":   func(s *script) { s.seq[server] += 50000; s.send(server, tcpFlags{rst: true}, nil) },
		"server reset far":     func(s *script) { s.seq[server] += 1 << 30; s.send(server, tcpFlags{rst: true}, nil) },
		"client reset behind":  func(s *script) { s.seq[client] -= 100; s.send(client, tcpFlags{rst: true, ack: true}, nil) },
		"client data far away": func(s *script) { s.seq[client] += 1 << 30; s.send(client, tcpFlags{ack: true}, []byte("junk")) },
		"server FIN far away":  func(s *script) { s.seq[server] += 1 << 30; s.send(server, tcpFlags{fin: true, ack: true}, nil) },
	} {
		s := talkFrom(t, 1000, 5000, "binlog/v0/C/A", 3)
		for at := 5; at < len(s.packets); at++ {
			forger := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
			forger.seq = numbersAt(s.packets[:at])
			forge(forger)
			messages, stats := readScript(t, slices.Concat(s.packets[:at], forger.packets, s.packets[at:]))
			if got := kinds(messages); !slices.Equal(got, want) || stats.Gaps != 0 {
				t.Errorf("%s before packet %d: got %v, want %v, %d gaps", name, at, got, want, stats.Gaps)
			}
		}
	}
}

// numbersAt returns where both streams have got to.
func numbersAt(packets []scripted) (seq [2]uint32) {
	for _, p := range packets {
		s, _ := dissect(capturedPacket{link: linkRaw, data: p.data})
		n := s.Sequence + uint32(len(s.Payload))
		if s.SYN || s.FIN {
			n++
		}
		seq[p.data[15]-1] = n
	}
	return seq
}

func mustRead(t *testing.T, packets []scripted) []Message {
	messages, _ := readScript(t, packets)
	return messages
}

// What was sent before a reset is read, though the reset is first in the file.
//
// Case capture/rst-before-data.
func TestResetCapturedFirstLosesNothing(t *testing.T) {
	s := talkFrom(t, 1, 2, "binlog/v0/C/A", 1)
	begin := len(s.packets)
	s.say(client, 100, publish(t, "binlog/v0/C/A", 2, logVectors(t)[0]))
	s.send(client, tcpFlags{rst: true, ack: true}, nil)
	last := len(s.packets) - 1
	packets := slices.Concat(s.packets[:begin], s.packets[last:], s.packets[begin:last])
	messages, stats := readScript(t, packets)
	if last := messages[len(messages)-1]; last.Kind != KindLog || last.Err != nil || stats.Gaps != 0 {
		t.Errorf("got %v, %+v, want Kind %v and Gaps 0", kinds(messages), stats, KindLog)
	}
}

// However far the segments of a file are from their places, by tens of packets
// in both directions and with some twice, nothing is lost, and answers follow
// what they answer.
//
// Case capture/reorder-script, which moves them by at most 3 and 10 places.
func TestDisplacedSegmentsLoseNothing(t *testing.T) {
	var packets []scripted
	const conns, each = 6, 12
	for i := range conns {
		s := newScript(t, fmt.Sprintf("192.0.2.1:%d", 40000+i), "192.0.2.2:1883")
		s.seq = [2]uint32{-uint32(1000 * i), -uint32(i)}
		s.handshake()
		s.connect([]uint8{Version311, Version5}[i%2])
		for id := range uint16(each) {
			s.upload([]uint8{Version311, Version5}[i%2], id+1, 100, logVectors(t)[0])
			s.send(server, tcpFlags{ack: true}, nil)
		}
		s.send(client, tcpFlags{fin: true, ack: true}, nil)
		s.send(server, tcpFlags{fin: true, ack: true}, nil)
		packets = append(packets, s.packets...)
	}

	slices.SortStableFunc(packets, func(a, b scripted) int { return a.time.Compare(b.time) })
	for _, places := range []float64{1.5, 3, 10, 50, 150} {
		for _, twice := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(uint64(places), 5))
			type placed struct {
				at float64
				p  scripted
			}

			var moved []placed
			for i, p := range packets {
				moved = append(moved, placed{float64(i) + places*rng.Float64(), p})
				if twice && rng.IntN(3) == 0 {
					moved = append(moved, placed{float64(i) + places*rng.Float64(), p})
				}
			}

			slices.SortStableFunc(moved, func(a, b placed) int {
				if a.at < b.at {
					return -1
				}
				return 1
			})

			var file []scripted
			for i, m := range moved {
				file = append(file, scripted{epoch.Add(time.Duration(i) * 10 * time.Microsecond), m.p.data})
			}
			messages, stats := readScript(t, file)
			count := map[Kind]int{}
			for _, m := range messages {
				count[m.Kind]++
				if m.Kind == KindAck && m.Topic == "" || m.Err != nil {
					t.Errorf("by %v places: got %+v, want no error, and an acknowledgement with its topic", places, m)
				}
			}

			if count[KindLog] != conns*each || count[KindAck] != conns*each || len(messages) != conns*(2+2*each) || stats.Gaps != 0 || stats.Connections != conns {
				t.Errorf("by %v places, twice %v: got %v, %+v, want %d logs, as many acks, %d messages, %d connections and no gaps",
					places, twice, count, stats, conns*each, conns*(2+2*each), conns)
			}
		}
	}
}

// Everything in the packet is the packet's where the IP header cannot say its
// length.
//
// Case capture/bigtcp-v4, and the same with IPv6, with and without the option
// for long packets.
func TestBigTCPIsReadWhole(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 150_000)
	for _, end := range []string{"192.0.2.", "2001:db8::"} {
		for _, option := range []bool{false, true} {
			if option && end == "192.0.2." {
				continue
			}
			address := func(n, port string) string {
				if strings.Contains(end, ":") {
					return "[" + end + n + "]:" + port
				}
				return end + n + ":" + port
			}

			s := newScript(t, address("1", "40000"), address("2", "1883")).handshake()
			s.connect(Version5)
			at := len(s.packets)
			s.send(client, tcpFlags{ack: true}, nil)
			body := append(publish(t, "t/big", 1, big), publish(t, "t/after", 2, []byte("y"))...)
			p := &s.packets[at]
			p.data = append(p.data, body...)
			switch {
			case p.data[0]>>4 == 4:
				p.data[2], p.data[3] = 0, 0
			case option:
				n := uint32(len(p.data) - 40 + 8)
				p.data = slices.Concat(p.data[:4], []byte{0, 0, 0}, p.data[7:40], []byte{6, 0, 0xc2, 4, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, p.data[40:])
			default:
				p.data[4], p.data[5] = 0, 0
			}

			s.seq[client] += uint32(len(body))
			s.say(client, 1400, publish(t, "t/last", 3, []byte("z")))
			messages, stats := readScript(t, s.packets)
			var topics []string
			for _, m := range messages[2:] {
				topics = append(topics, m.Topic)
			}
			if !slices.Equal(topics, []string{"t/big", "t/after", "t/last"}) || !stats.Lossless() {
				t.Errorf("%s, option %v: got %q, %+v, want t/big, t/after and t/last without a loss", end, option, topics, stats)
			}
		}
	}
}

// What is in a tunnel is read like anything else, or counted.
//
// Case capture/vxlan-beside-good.
func TestTunnelsAreReadOrCounted(t *testing.T) {
	inner := wholeScript(t, Version5, logVectors(t)[0]).packets
	ethernet := func(typ uint16, b []byte) []byte {
		return slices.Concat([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, byte(typ >> 8), byte(typ)}, b)
	}
	ip := func(protocol byte, b []byte) []byte {
		n := 20 + len(b)
		return slices.Concat([]byte{0x45, 0, byte(n >> 8), byte(n), 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, b)
	}

	udp := func(port uint16, b []byte) []byte {
		n := 8 + len(b)
		return ip(ipUDP, slices.Concat([]byte{0xc0, 0, byte(port >> 8), byte(port), byte(n >> 8), byte(n), 0, 0}, b))
	}

	for name, wrap := range map[string]func(b []byte) []byte{
		"vxlan": func(b []byte) []byte {
			return udp(portVXLAN, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, ethernet(etherIPv4, b)))
		},
		"geneve": func(b []byte) []byte {
			return udp(portGeneve, slices.Concat([]byte{1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 0}, ethernet(etherIPv4, b)))
		},
		"gtp": func(b []byte) []byte {
			return udp(portGTP, slices.Concat([]byte{0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0}, b))
		},
		"gre": func(b []byte) []byte { return ip(ipGRE, slices.Concat([]byte{0x20, 0, 8, 0, 0, 0, 0, 1}, b)) },
		"gre bridged": func(b []byte) []byte {
			return ip(ipGRE, slices.Concat([]byte{0, 0, 0x65, 0x58}, ethernet(etherIPv4, b)))
		},
		"erspan": func(b []byte) []byte {
			return ip(ipGRE, slices.Concat([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0}, ethernet(etherIPv4, b)))
		},
		"vxlan with a policy": func(b []byte) []byte {
			return udp(portVXLAN, slices.Concat([]byte{0x88, 0, 0, 1, 0, 0, 42, 0}, ethernet(etherIPv4, b)))
		},
		"vxlan gpe": func(b []byte) []byte {
			return udp(portVXLANGPE, slices.Concat([]byte{0x0c, 0, 0, 1, 0, 0, 42, 0}, b))
		},
		"vxlan of an unknown kind": func(b []byte) []byte {
			return udp(portVXLANGPE, slices.Concat([]byte{0x0c, 0, 0, 9, 0, 0, 42, 0}, b))
		},
		"erspan of the third kind": func(b []byte) []byte {
			return ip(ipGRE, slices.Concat([]byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1}, make([]byte, 11), []byte{1}, make([]byte, 8), ethernet(etherIPv4, b)))
		},
		"pptp": func(b []byte) []byte {
			return ip(ipGRE, slices.Concat([]byte{0x30, 1, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0x21}, b))
		},
		"pptp, encrypted": func(b []byte) []byte {
			return ip(ipGRE, slices.Concat([]byte{0x20, 1, 0x88, 0x0b, 0, 0, 0, 1, 0, 0xfd}, b))
		},
		"mpls with ethernet": func(b []byte) []byte {
			return slices.Concat([]byte{0, 0, 0x11, 64}, ethernet(etherIPv4, b))
		},
		"mpls with a control word": func(b []byte) []byte {
			return slices.Concat([]byte{0, 0, 0x11, 64, 0, 0, 0, 7}, ethernet(etherIPv4, b))
		},
		"backbone":  func(b []byte) []byte { return slices.Concat([]byte{0, 0, 0, 5}, ethernet(etherIPv4, b)) },
		"redundant": func(b []byte) []byte { return slices.Concat([]byte{0, 80, 0, 1, 8, 0}, b) },
		"service": func(b []byte) []byte {
			return slices.Concat([]byte{0x0f, 0xc2, 2, 1, 0, 0, 1, 255}, b)
		},
		"snap":         func(b []byte) []byte { return slices.Concat([]byte{0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, b) },
		"macsec":       func(b []byte) []byte { return slices.Concat([]byte{0, 0, 0, 0, 0, 1}, b) },
		"ip in ip":     func(b []byte) []byte { return ip(ipIPv4, b) },
		"mpls":         func(b []byte) []byte { return slices.Concat([]byte{0, 0, 0x10, 64, 0, 0, 0x21, 64}, b) },
		"pppoe":        func(b []byte) []byte { return slices.Concat([]byte{0x11, 0, 0, 1, 0, 0, 0, 0x21}, b) },
		"vlan in vlan": func(b []byte) []byte { return slices.Concat([]byte{0, 5, 0x81, 0, 0, 6, 8, 0}, b) },
		"l2tp":         func(b []byte) []byte { return udp(portL2TP, slices.Concat([]byte{0, 2, 0, 0, 0, 0, 0, 0}, b)) },
	} {
		typ := map[string]uint16{
			"mpls": etherMPLS, "mpls with ethernet": etherMPLS, "mpls with a control word": etherMPLS, "pppoe": etherPPPoE, "vlan in vlan": etherQinQ,
			"backbone": etherBackbone, "redundant": etherHSR, "service": etherService, "snap": 600, "macsec": etherMACsec,
		}[name]
		if typ == 0 {
			typ = etherIPv4
		}
		var packets []scripted
		for _, p := range inner {
			packets = append(packets, scripted{p.time, ethernet(typ, wrap(p.data))})
		}
		messages, stats, err := read(t, bytes.NewReader(pcapng(t, binary.LittleEndian, linkEthernet, packets)), CaptureConfig{})
		if err != nil {
			t.Fatal(err)
		}

		if slices.Contains([]string{"l2tp", "vxlan of an unknown kind", "pptp, encrypted", "macsec"}, name) {
			if len(messages) != 0 || int(stats.Tunnels) != len(inner) || stats.Lossless() {
				t.Errorf("%s: got %v, %+v, want no messages, %d tunnels and a loss", name, kinds(messages), stats, len(inner))
			}
		} else if !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
			t.Errorf("%s: got %v, %+v, want %v without a loss", name, kinds(messages), stats, wholeTalk)
		}
	}
}

// Memory does not grow with connections that have ended, nor with traffic.
//
// Case capture/memory-closed-connections. WIRE_STREAM_GB sets how many gigabytes
// are streamed; 10 take minutes.
func TestCaptureMemoryIsFlat(t *testing.T) {
	total := int64(1) << 28
	if n := os.Getenv("WIRE_STREAM_GB"); n != "" {
		var gigabytes int64
		if _, err := fmt.Sscan(n, &gigabytes); err != nil {
			t.Fatal(err)
		}
		total = gigabytes << 30
	}

	s := talk4(t)
	s.connect(Version5)
	s.say(client, 1460, publish(t, "plant/dump", 1, make([]byte, 131000)))
	s.say(server, 1460, s.packet(MQTT{Type: PacketPuback, PacketID: 1}))
	s.send(client, tcpFlags{fin: true, ack: true}, nil)
	s.send(server, tcpFlags{fin: true, ack: true}, nil)
	block := pcap(t, layers.LinkTypeRaw, s.packets)
	header, block := block[:24], block[24:]
	var offsets []int // of the client's address
	for i := range len(block) - 4 {
		if bytes.Equal(block[i:i+4], []byte{192, 0, 2, 1}) {
			offsets = append(offsets, i)
		}
	}

	source := &repeated{rest: header, block: block, offsets: offsets, left: total}
	c, err := NewCapture(source, CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	n, publishes := 0, 0
	for m := range c.All() {
		if m.Packet == PacketPublish {
			publishes++
		}
		if n++; n%4000 == 0 {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}

	if stats := c.Stats(); c.Err() != nil || int64(publishes) != source.made || stats.Connections != source.made || !stats.Lossless() {
		t.Errorf("got %d publishes, %+v, %v, want %d publishes, as many connections and no loss", publishes, stats, c.Err(), source.made)
	}
	if most > 32<<20 {
		t.Errorf("got %d bytes in use after %d of traffic, want at most 32 MiB", most, total)
	}

	t.Logf("%d connections, %d bytes of traffic, at most %d bytes in use", source.made, total, most)
}

// repeated is a capture file of many connections, made as it is read.
type repeated struct {
	rest, block []byte
	offsets     []int
	left        int64
	made        int64
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.left <= 0 {
			return 0, io.EOF
		}
		r.made++
		address := netip.AddrFrom4([4]byte{10, byte(r.made >> 16), byte(r.made >> 8), byte(r.made)}).As4()
		for _, at := range r.offsets {
			copy(r.block[at:], address[:])
		}
		r.rest = r.block
		r.left -= int64(len(r.block))
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
