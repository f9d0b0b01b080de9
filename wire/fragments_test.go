package wire

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

// fragmentsOf cuts an IP packet into pieces of size bytes, a multiple of 8.
func fragmentsOf(ip []byte, id uint32, size int) (out [][]byte) {
	head := 20
	if ip[0]>>4 == 6 {
		head = 40
	}
	content := ip[head:]
	for at := 0; at < len(content); at += size {
		part := content[at:min(at+size, len(content))]
		more := uint16(0)
		if at+size < len(content) {
			more = 1
		}
		b := slices.Clone(ip[:head])
		if head == 20 {
			binary.BigEndian.PutUint16(b[2:], uint16(head+len(part)))
			binary.BigEndian.PutUint16(b[4:], uint16(id))
			binary.BigEndian.PutUint16(b[6:], more<<13|uint16(at/8))
			b[10], b[11] = 0, 0
			sum := uint32(0)
			for i := 0; i < head; i += 2 {
				sum += uint32(binary.BigEndian.Uint16(b[i:]))
			}
			binary.BigEndian.PutUint16(b[10:], ^uint16(sum>>16+sum))
		} else {
			next := b[6]
			b[6] = ipFragment
			binary.BigEndian.PutUint16(b[4:], uint16(8+len(part)))
			b = append(b, next, 0)
			b = binary.BigEndian.AppendUint16(b, uint16(at)|more)
			b = binary.BigEndian.AppendUint32(b, id)
		}

		out = append(out, append(b, part...))
	}

	return out
}

// cutPackets cuts all packets of a script that are longer than a piece.
func cutPackets(packets []scripted, size int, change func([][]byte) [][]byte) (out []scripted) {
	for i, p := range packets {
		for _, b := range change(fragmentsOf(p.data, uint32(i+1), size)) {
			out = append(out, scripted{p.time, b})
		}
	}
	return out
}

func uploadOf(t testing.TB, ends ...string) *script {
	s := newScript(t, ends[0], ends[1]).handshake()
	s.connect(Version5)
	for i, log := range logVectors(t)[:3] {
		s.upload(Version5, uint16(i+1), 1400, log)
	}
	return s
}

var fragmentEnds = [][]string{{"192.0.2.1:40000", "192.0.2.2:1883"}, {"[2001:db8::1]:40000", "[2001:db8::2]:1883"}}

// IP packets in pieces are put together, in whatever order the pieces come, as tshark
// does.
func TestFragmentsAreJoined(t *testing.T) {
	changes := map[string]func([][]byte) [][]byte{
		"in order":  func(b [][]byte) [][]byte { return b },
		"backwards": func(b [][]byte) [][]byte { slices.Reverse(b); return b },
		"twice":     func(b [][]byte) [][]byte { return append(b[:len(b):len(b)], b...) },
		"shuffled": func(b [][]byte) [][]byte {
			rand.New(rand.NewPCG(1, uint64(len(b)))).Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
			return b
		},
	}

	for _, ends := range fragmentEnds {
		s := uploadOf(t, ends...)
		want, _ := readScript(t, s.packets)
		for name, change := range changes {
			got, stats := readScript(t, cutPackets(s.packets, 64, change))
			if !stats.Lossless() || stats.Joined == 0 || !slices.Equal(kinds(got), kinds(want)) {
				t.Errorf("%s: got %v, want %v; %+v", name, kinds(got), kinds(want), stats)
			}
			for i := range want {
				if !bytes.Equal(got[i].Payload, want[i].Payload) {
					t.Errorf("%s: message %d: got payload %x, want %x", name, i, got[i].Payload, want[i].Payload)
				}
			}
		}
	}
}

func TestOracleTsharkJoinsTheSameFragments(t *testing.T) {
	needTool(t, "tshark")
	for _, ends := range fragmentEnds {
		cut := cutPackets(uploadOf(t, ends...).packets, 128, func(b [][]byte) [][]byte { slices.Reverse(b); return b })
		agree(t, pcap(t, layers.LinkTypeEthernet, cut))
	}
}

// What is missing, overlaps, or is too old is counted, and is never a wrong payload.
func TestIncompleteFragmentsAreCounted(t *testing.T) {
	s := uploadOf(t, fragmentEnds[0]...)
	want, _ := readScript(t, s.packets)
	for name, change := range map[string]func([][]byte) [][]byte{
		"missing": func(b [][]byte) [][]byte { return b[:max(1, len(b)-1)] },
		"overlap": func(b [][]byte) [][]byte {
			if len(b) > 2 {
				lie := slices.Clone(b[1])
				lie[7]++ // eight bytes further on
				b = slices.Insert(b, 2, lie)
			}
			return b
		},
	} {
		got, stats := readScript(t, cutPackets(s.packets, 256, change))
		if stats.Lossless() || stats.Fragments+stats.Damaged == 0 {
			t.Errorf("%s: got %v, %+v, want a loss, and pieces counted", name, kinds(got), stats)
		}
		if sum := stats.Segments + stats.Joined + stats.Fragments + stats.Damaged + stats.Other; sum != stats.Packets {
			t.Errorf("%s: got %d packets accounted for, want %d", name, sum, stats.Packets)
		}
		for _, m := range got {
			if m.Kind == KindLog && m.Err == nil && !slices.ContainsFunc(want, func(w Message) bool { return bytes.Equal(w.Payload, m.Payload) }) {
				t.Errorf("%s: got payload %x, want one that was sent", name, m.Payload)
			}
		}
	}

	// A number that is used again after a minute is another packet's.
	cut := cutPackets(s.packets, 256, func(b [][]byte) [][]byte { return b })
	var early []scripted
	for _, p := range cut {
		if binary.BigEndian.Uint16(p.data[6:]) == 1<<13 { // a first piece
			early = append(early, scripted{p.time.Add(-time.Hour), p.data})
		}
	}
	got, stats := readScript(t, append(early, cut...))
	if !slices.Equal(kinds(got), kinds(want)) || stats.Fragments != int64(len(early)) || len(early) == 0 {
		t.Errorf("old pieces: got %v, %+v, want %v, and %d pieces counted, at least 1", kinds(got), stats, kinds(want), len(early))
	}
}

// A piece that no sender can have cut is counted as one that is not read, and what it
// contradicts is given up: nothing of it is held.
func TestImpossiblePiecesAreGivenUp(t *testing.T) {
	type piece struct {
		at, size int
		more     bool
	}

	a := netip.MustParseAddr("192.0.2.1")
	for name, pieces := range map[string][]piece{
		"not of eights":         {{0, 12, true}},
		"empty":                 {{0, 0, true}},
		"beyond a packet":       {{65528, 8, false}},
		"behind the end":        {{8, 8, false}, {16, 8, true}},
		"an end before a piece": {{8, 8, true}, {0, 8, false}},
		"two ends":              {{8, 8, false}, {16, 8, false}},
		"over the one before":   {{0, 16, true}, {8, 16, true}},
		"over the next":         {{8, 8, true}, {0, 16, true}},
	} {
		lost := int64(0)
		f := newFragments(func(_ byte, n int64) { lost += n }, func(int64) {})
		v := isHeld
		for _, p := range pieces {
			if v != isHeld {
				t.Errorf("%s: got verdict %d before the last piece, want %d", name, v, isHeld)
			}
			_, v = f.add(fragmentKey{a, a, 1, ipTCP}, epoch, p.at, p.more, make([]byte, p.size))
		}
		if want := int64(len(pieces)) - 1; v != isFragment || f.bytes != 0 || lost != want {
			t.Errorf("%s: got verdict %d, %d bytes held and %d pieces lost, want %d, 0 and %d", name, v, f.bytes, lost, isFragment, want)
		}
	}
}

// Pieces that never become a packet take no more memory than is said.
func TestFragmentsAreBounded(t *testing.T) {
	lost := int64(0)
	f := newFragments(func(_ byte, n int64) { lost += n }, func(int64) {})
	b := make([]byte, 1024)
	a := netip.MustParseAddr("192.0.2.1")
	for id := range uint32(50_000) {
		f.add(fragmentKey{a, a, id, ipTCP}, epoch, 0, true, b)
		if f.bytes > maxFragmentBytes {
			t.Fatalf("got %d bytes held, want at most %v", f.bytes, maxFragmentBytes)
		}
	}
	if held := int64(len(f.waiting)); held == 0 || lost+held != 50_000 || len(f.oldest) > 3*len(f.waiting)+16 {
		t.Errorf("got %d lost, %d held, %d in order, want 50000 lost or held, some held, and at most %d in order",
			lost, held, len(f.oldest), 3*len(f.waiting)+16)
	}
	f.close()
	if f.bytes != 0 || lost != 50_000 {
		t.Errorf("got %d bytes held and %d pieces lost at the end, want 0 and 50000", f.bytes, lost)
	}
}

// FuzzFragments gives pieces as the input says. A packet that comes to be whole is the
// one that its pieces were of, and the memory that is said to be used is used.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 0, 1, 1, 1, 1, 2, 0, 1}) // number, place and more of three pieces
	f.Add([]byte{0, 2, 0, 0, 1, 1, 0, 0, 1})
	f.Add([]byte{0, 0, 1, 0, 0, 1, 0, 3, 0})
	content := make([]byte, 256*8)
	for i := range content {
		content[i] = byte(i / 8)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		given, told := 0, int64(0)
		x := newFragments(func(_ byte, n int64) { told += n }, func(n int64) { told += n })
		var a netip.Addr
		for ; len(input) >= 3; input = input[3:] {
			at, more, blocks := 8*int(input[1]), input[2]&1 == 1, 1+int(input[2]>>6)
			b := content[at:min(at+8*blocks, len(content))]
			given++
			whole, v := x.add(fragmentKey{a, a, uint32(input[0] % 4), input[0] & 4}, epoch, at, more, b)
			switch v {
			case isTCP:
				if !bytes.HasPrefix(content, whole) || len(whole) == 0 {
					t.Fatalf("got a packet of %d bytes, want one that was sent", len(whole))
				}
				told++
			case isFragment, isOther, isRepeated:
				told++
			case isHeld:
			default:
				t.Fatalf("got verdict %d, want one that pieces can have", v)
			}
		}

		x.close()
		if x.bytes != 0 || len(x.waiting) != 0 || told != int64(given) {
			t.Fatalf("got %d bytes and %d packets left, %d pieces accounted for, want 0, 0 and %d", x.bytes, len(x.waiting), told, given)
		}
	})
}
