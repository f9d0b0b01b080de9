package wire

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/reassembly"
)

// recorder is a stream handler that keeps everything.
type recorder struct {
	bytes [2]bytes.Buffer
	gaps  [2][]int64
	times []time.Time // of the data
	ended [2]int
}

func (r *recorder) Started(int)                      {}
func (r *recorder) Ended(direction int, _ time.Time) { r.ended[direction]++ }
func (r *recorder) Data(direction int, t time.Time, b []byte) {
	r.bytes[direction].Write(b)
	r.times = append(r.times, t)
}

func (r *recorder) Gap(direction int, _ time.Time, n int64) {
	r.gaps[direction] = append(r.gaps[direction], n)
}

// gopacketStream collects what gopacket's assembler delivers.
type gopacketStream struct{ bytes bytes.Buffer }

func (g *gopacketStream) New(_, _ gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	return g
}

func (g *gopacketStream) Accept(*layers.TCP, gopacket.CaptureInfo, reassembly.TCPFlowDirection, reassembly.Sequence, *bool, reassembly.AssemblerContext) bool {
	return true
}

func (g *gopacketStream) ReassembledSG(sg reassembly.ScatterGather, _ reassembly.AssemblerContext) {
	n, _ := sg.Lengths()
	g.bytes.Write(sg.Fetch(n))
}

func (g *gopacketStream) ReassemblyComplete(reassembly.AssemblerContext) bool { return true }

// shuffled cuts a text into segments, some of them twice, out of order.
func shuffled(text []byte, isn uint32, rng *rand.Rand) []Segment {
	src, dst := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:1883")
	var out []Segment
	for at := 0; at < len(text); {
		n := min(1+rng.IntN(400), len(text)-at)
		out = append(out, Segment{Source: src, Destination: dst, Sequence: isn + 1 + uint32(at), Payload: text[at : at+n]})
		at += n
	}
	for range len(out) / 3 {
		out = append(out, out[rng.IntN(len(out))])
	}
	for i := range out {
		j := min(i+rng.IntN(5), len(out)-1)
		out[i], out[j] = out[j], out[i]
	}
	syn := Segment{Source: src, Destination: dst, Sequence: isn, SYN: true}
	return append([]Segment{syn}, out...)
}

// Both assemblers give the same bytes, until sequence numbers wrap: then
// gopacket's does not, which is why it is not used.
func TestReassemblyEqualsGopacketUntilNumbersWrap(t *testing.T) {
	wrong := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		text := make([]byte, 1+rng.IntN(20000))
		for i := range text {
			text[i] = byte(rng.Uint32())
		}
		isn := rng.Uint32N(1 << 30)
		wraps := seed%2 == 1
		if wraps {
			isn = -rng.Uint32N(uint32(len(text)))
		}
		segments := shuffled(text, isn, rng)

		ours := &recorder{}
		r := NewReassembler(func(_, _ netip.AddrPort) Stream { return ours })
		for i := range segments {
			r.Add(&segments[i])
		}
		r.Close()
		if !bytes.Equal(ours.bytes[0].Bytes(), text) || len(ours.gaps[0]) > 0 {
			t.Fatalf("seed %d: got %d bytes, gaps %v, want the %d that were sent and no gaps", seed, ours.bytes[0].Len(), ours.gaps[0], len(text))
		}
		if r.queued != 0 || len(r.conns) != 0 || r.alive.n != 0 {
			t.Fatalf("seed %d: got %d bytes, %d connections and %d in their order left, want none", seed, r.queued, len(r.conns), r.alive.n)
		}

		theirs := &gopacketStream{}
		a := reassembly.NewAssembler(reassembly.NewStreamPool(theirs))
		for i := range segments {
			assembleGopacket(a, &segments[i])
		}
		a.FlushAll()
		if same := bytes.Equal(theirs.bytes.Bytes(), text); !same && !wraps {
			t.Fatalf("seed %d: got %d bytes from gopacket, want %d", seed, theirs.bytes.Len(), len(text))
		} else if !same {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("got every stream that wraps right from gopacket's assembler, want some wrong: else use it")
	}
	t.Logf("gopacket's assembler is wrong on %d of 100 streams that wrap", wrong)
}

func assembleGopacket(a *reassembly.Assembler, s *Segment) {
	tcp := layers.TCP{SrcPort: layers.TCPPort(s.Source.Port()), DstPort: layers.TCPPort(s.Destination.Port()), Seq: s.Sequence, SYN: s.SYN}
	tcp.SetInternalPortsForTesting()
	tcp.Payload = s.Payload
	src, dst := s.Source.Addr().As4(), s.Destination.Addr().As4()
	flow := gopacket.NewFlow(layers.EndpointIPv4, src[:], dst[:])
	a.AssembleWithContext(flow, &tcp, assemblerContext{})
}

type assemblerContext struct{}

func (assemblerContext) GetCaptureInfo() gopacket.CaptureInfo { return gopacket.CaptureInfo{} }

// Overlapping segments of any cut give each byte once.
func TestOverlapsGiveEachByteOnce(t *testing.T) {
	text := []byte("the quick brown fox jumps over the lazy dog")
	src, dst := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		isn := rng.Uint32()
		got := &recorder{}
		r := NewReassembler(func(_, _ netip.AddrPort) Stream { return got })
		r.Add(&Segment{Source: src, Destination: dst, Sequence: isn, SYN: true})
		for range 60 {
			from := rng.IntN(len(text))
			to := from + 1 + rng.IntN(len(text)-from)
			r.Add(&Segment{Source: src, Destination: dst, Sequence: isn + 1 + uint32(from), Payload: text[from:to]})
		}
		r.Add(&Segment{Source: src, Destination: dst, Sequence: isn + 1, Payload: text})
		if got.bytes[0].String() != string(text) || len(got.gaps[0]) > 0 || r.queued != 0 {
			t.Fatalf("seed %d: got %q, gaps %v, %d bytes queued, want %q, no gaps and none queued", seed, got.bytes[0].String(), got.gaps[0], r.queued, text)
		}
	}
}

// What waits is bounded in bytes, pieces and time, and gaps are measured.
func TestReassemblyWaitsWithinBounds(t *testing.T) {
	src, dst := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	start := func() (*Reassembler, *recorder) {
		got := &recorder{}
		r := NewReassembler(func(_, _ netip.AddrPort) Stream { return got })
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 99, SYN: true})
		return r, got
	}

	t.Run("bytes", func(t *testing.T) {
		r, got := start()
		b := make([]byte, 60000)
		for i := range 1000 {
			r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 105 + uint32(i*60001), Payload: b})
			if r.queued > maxQueuedBytes+len(b) {
				t.Fatalf("got %d bytes queued, want at most %v", r.queued, maxQueuedBytes+len(b))
			}
		}
		if got.gaps[0][0] != 5 || got.gaps[0][1] != 1 {
			t.Errorf("got gaps %v, want the first 5 bytes and the next 1", got.gaps[0][:2])
		}
	})

	t.Run("bytes of all connections", func(t *testing.T) {
		r, got := start()
		b := make([]byte, 60000)
		for i := range 100 {
			from := netip.AddrPortFrom(src.Addr(), uint16(1000+i))
			r.Add(&Segment{Time: epoch, Source: from, Destination: dst, Sequence: 99, SYN: true})
			for j := range 15 {
				r.Add(&Segment{Time: epoch, Source: from, Destination: dst, Sequence: 105 + uint32(j*60001), Payload: b})
			}
			if r.queued > maxQueuedTotal {
				t.Fatalf("got %d bytes queued, want at most %v", r.queued, maxQueuedTotal)
			}
		}
		r.Close()
		if r.queued != 0 || got.bytes[0].Len() != 100*15*len(b) {
			t.Errorf("got %d bytes queued and %d given out, want 0 and %d", r.queued, got.bytes[0].Len(), 100*15*len(b))
		}
	})

	t.Run("pieces", func(t *testing.T) {
		r, got := start()
		for i := range 5000 {
			r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 105 + uint32(i*2), Payload: []byte{1}})
		}
		if n := len(r.alive.newest.halves[0].queue); n > maxQueuedPieces || len(got.gaps[0]) == 0 {
			t.Errorf("got %d pieces queued and %d gaps, want at most %d and some", n, len(got.gaps[0]), maxQueuedPieces)
		}
	})

	t.Run("time", func(t *testing.T) {
		r, got := start()
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 105, Payload: []byte("late")})
		r.Add(&Segment{Time: epoch.Add(maxQueuedTime), Source: src, Destination: dst, Sequence: 109, Payload: []byte("r")})
		if got.bytes[0].Len() != 0 {
			t.Errorf("got %q after %v, want nothing yet", got.bytes[0].String(), maxQueuedTime)
		}
		r.Add(&Segment{Time: epoch.Add(maxQueuedTime + 1), Source: src, Destination: dst, Sequence: 110, Payload: []byte("!")})
		if got.bytes[0].String() != "later!" {
			t.Errorf("got %q, want \"later!\"", got.bytes[0].String())
		}
	})

	t.Run("order", func(t *testing.T) {
		r, got := start()
		later := epoch.Add(time.Second)
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 105, Payload: []byte("second")})
		r.Add(&Segment{Time: later, Source: src, Destination: dst, Sequence: 100, Payload: []byte("first")})
		if got.bytes[0].String() != "firstsecond" || len(got.times) != 2 || !got.times[1].Equal(later) {
			t.Errorf("got %q at %v, want \"firstsecond\" in two pieces, the second at %v: what waits is complete when the first byte comes",
				got.bytes[0].String(), got.times, later)
		}
	})

	t.Run("answered", func(t *testing.T) {
		// An acknowledgement of what is missing is no proof that it is not in the
		// file; its answer waits for it.
		for _, late := range []bool{true, false} {
			r, got := start()
			r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 6, SYN: true, ACK: true, AckNumber: 100})
			r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 105, Payload: []byte("question")})
			r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 7, ACK: true, AckNumber: 113, Payload: []byte("answer")})
			if got.bytes[0].Len()+got.bytes[1].Len() != 0 {
				t.Fatalf("got %q, %q, want them to wait", got.bytes[0].String(), got.bytes[1].String())
			}

			if late {
				r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("first")})
				if got.bytes[0].String() != "firstquestion" || got.bytes[1].String() != "answer" || got.gaps[0] != nil {
					t.Errorf("got %q, %q, gaps %v, want \"firstquestion\", \"answer\" and no gaps", got.bytes[0].String(), got.bytes[1].String(), got.gaps[0])
				}
				continue
			}

			for range maxDisplaced + 1 {
				r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 13, ACK: true, AckNumber: 113})
			}
			if got.bytes[0].String() != "question" || got.bytes[1].String() != "answer" || !slices.Equal(got.gaps[0], []int64{5}) || got.gaps[1] != nil {
				t.Errorf("got %q, %q, gaps %v, want \"question\", \"answer\" and gaps of 5 bytes before the question alone",
					got.bytes[0].String(), got.bytes[1].String(), got.gaps)
			}
		}
	})

	t.Run("tail", func(t *testing.T) {
		r, got := start()
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("question")})
		r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 7, ACK: true, AckNumber: 108 + 20})
		r.Close()
		if got.bytes[0].String() != "question" || len(got.gaps[0]) != 1 || got.gaps[0][0] != 20 {
			t.Errorf("got %q, gaps %v, want \"question\" and one gap of 20 bytes", got.bytes[0].String(), got.gaps[0])
		}

		r, got = start()
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("question")})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 128, FIN: true})
		r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 7, ACK: true, AckNumber: 129})
		r.Close()
		if len(got.gaps[0]) != 1 || got.gaps[0][0] != 20 {
			t.Errorf("before a FIN: got gaps %v, want one of 20 bytes", got.gaps[0])
		}

		// One byte more was a FIN, captured or not.
		for _, fin := range []bool{false, true} {
			r, got := start()
			r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("question"), FIN: fin})
			r.Add(&Segment{Time: epoch, Source: dst, Destination: src, Sequence: 7, ACK: true, AckNumber: 109})
			r.Close()
			if len(got.gaps[0]) != 0 {
				t.Errorf("FIN captured %v: got gaps %v, want none", fin, got.gaps[0])
			}
		}
	})

	t.Run("connections", func(t *testing.T) {
		r, _ := start()
		for i := range 3 * maxConnections {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
			r.Add(&Segment{Time: epoch, Source: from, Destination: dst, SYN: true})
		}
		if len(r.conns) != maxConnections {
			t.Errorf("got %d connections remembered, want %d", len(r.conns), maxConnections)
		}
		// The one that is heard of again stays, the others go in order.
		old := r.alive.oldest
		r.Add(&Segment{Time: epoch, Source: old.src, Destination: dst, Sequence: 1, Payload: []byte("a")})
		second := r.alive.oldest
		r.Add(&Segment{Time: epoch, Source: netip.MustParseAddrPort("192.0.2.9:9"), Destination: dst, SYN: true})
		if r.conns[old.key] == nil || r.conns[second.key] != nil || second == old {
			t.Errorf("got the connection that was heard of kept: %v, the next one kept: %v, the two different: %v, want true, false and true",
				r.conns[old.key] != nil, r.conns[second.key] != nil, second != old)
		}
	})

	t.Run("SYN again", func(t *testing.T) {
		r, got := start()
		opened := 1
		r.open = func(_, _ netip.AddrPort) Stream { opened++; return got }
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("a")})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 99, SYN: true})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 101, Payload: []byte("b")})
		if got.bytes[0].String() != "ab" || opened != 1 {
			t.Errorf("%q, %d connections, want bytes[0] \"ab\" and opened 1", got.bytes[0].String(), opened)
		}
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 5000, SYN: true})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 5001, Payload: []byte("c")})
		if got.bytes[0].String() != "abc" || opened != 2 || len(got.gaps[0]) > 0 {
			t.Errorf("%q, %d connections, gaps %v, want bytes[0] \"abc\", opened 2 and no gaps[0]", got.bytes[0].String(), opened, got.gaps)
		}
	})

	t.Run("jump", func(t *testing.T) {
		// Bytes out of any window are nobody's, until they go on.
		r, got := start()
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("a")})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100 + 1<<30, Payload: []byte("forged")})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 101, Payload: []byte("b")})
		if got.bytes[0].String() != "ab" || got.gaps[0] != nil || r.Void() != 1 {
			t.Errorf("got %q, gaps %v, %d void, want \"ab\", no gaps and 1 void", got.bytes[0].String(), got.gaps[0], r.Void())
		}
		for i := range uint32(4) {
			r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100 + 1<<30 + i, Payload: []byte{'c' + byte(i)}})
		}
		if got.bytes[0].String() != "abcdef" || !slices.Equal(got.gaps[0], []int64{-1}) {
			t.Errorf("got %q, gaps %v, want \"abcdef\" and gaps [-1]", got.bytes[0].String(), got.gaps[0])
		}
	})

	t.Run("reset", func(t *testing.T) {
		// Only where the stream has got to, or gets to.
		for _, test := range []struct {
			name   string
			resets []Segment
			want   string
		}{
			{"behind", []Segment{{Source: src, Destination: dst, Sequence: 99}}, "abc"},
			{"ahead", []Segment{{Source: src, Destination: dst, Sequence: 50000}}, "abc"},
			{"of the other side, unknown", []Segment{{Source: dst, Destination: src, Sequence: 7}}, "abc"},
			{"behind b", []Segment{{Source: src, Destination: dst, Sequence: 102}}, "ab"},
			{"behind a, but b came", []Segment{{Source: src, Destination: dst, Sequence: 101}}, "a"},
		} {
			r, got := start()
			if test.want == "a" {
				r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("a")})
			}
			for _, s := range test.resets {
				s.Time, s.RST = epoch, true
				r.Add(&s)
			}
			for i := range uint32(3) {
				r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100 + i, Payload: []byte{'a' + byte(i)}})
			}
			r.Close()
			if got.bytes[0].String() != test.want || got.ended[0] != 1 || got.ended[1] != 1 {
				t.Errorf("%s: got %q, want %q; ended %v times", test.name, got.bytes[0].String(), test.want, got.ended)
			}
		}
	})

	t.Run("finished", func(t *testing.T) {
		r, got := start()
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("a"), FIN: true})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 100, Payload: []byte("a"), FIN: true})
		r.Add(&Segment{Time: epoch, Source: src, Destination: dst, Sequence: 101, Payload: []byte("beyond")})
		if got.bytes[0].String() != "a" {
			t.Errorf("got %q, want \"a\" alone", got.bytes[0].String())
		}
	})
}
