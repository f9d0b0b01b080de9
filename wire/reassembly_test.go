package wire

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
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
}

func (r *recorder) started(int) {}
func (r *recorder) data(direction int, t time.Time, b []byte) {
	r.bytes[direction].Write(b)
	r.times = append(r.times, t)
}

func (r *recorder) gap(direction int, _ time.Time, n int64) {
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
func shuffled(text []byte, isn uint32, rng *rand.Rand) []segment {
	src, dst := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:1883")
	var out []segment
	for at := 0; at < len(text); {
		n := min(1+rng.IntN(400), len(text)-at)
		out = append(out, segment{src: src, dst: dst, seq: isn + 1 + uint32(at), payload: text[at : at+n]})
		at += n
	}
	for range len(out) / 3 {
		out = append(out, out[rng.IntN(len(out))])
	}
	for i := range out {
		j := min(i+rng.IntN(5), len(out)-1)
		out[i], out[j] = out[j], out[i]
	}
	syn := segment{src: src, dst: dst, seq: isn, syn: true}
	return append([]segment{syn}, out...)
}

// Both assemblers give the same bytes, until sequence numbers wrap: then
// gopacket's does not, which is why it is not used.
func TestReassemblyAgainstGopacket(t *testing.T) {
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
		r := newReassembler(func(_, _ netip.AddrPort) streamHandler { return ours })
		for i := range segments {
			r.add(&segments[i])
		}
		r.closeAll()
		if !bytes.Equal(ours.bytes[0].Bytes(), text) || len(ours.gaps[0]) > 0 {
			t.Fatalf("seed %d: %d bytes of %d, gaps %v", seed, ours.bytes[0].Len(), len(text), ours.gaps)
		}
		if r.queued != 0 || len(r.conns) != 0 || r.newest != nil {
			t.Fatalf("seed %d: %d bytes and %d connections left", seed, r.queued, len(r.conns))
		}

		theirs := &gopacketStream{}
		a := reassembly.NewAssembler(reassembly.NewStreamPool(theirs))
		for i := range segments {
			assembleGopacket(a, &segments[i])
		}
		a.FlushAll()
		if same := bytes.Equal(theirs.bytes.Bytes(), text); !same && !wraps {
			t.Fatalf("seed %d: gopacket gives %d bytes, want %d", seed, theirs.bytes.Len(), len(text))
		} else if !same {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("gopacket's assembler gets the wrap right: use it")
	}
	t.Logf("gopacket's assembler is wrong on %d of 100 streams that wrap", wrong)
}

func assembleGopacket(a *reassembly.Assembler, s *segment) {
	tcp := layers.TCP{SrcPort: layers.TCPPort(s.src.Port()), DstPort: layers.TCPPort(s.dst.Port()), Seq: s.seq, SYN: s.syn}
	tcp.SetInternalPortsForTesting()
	tcp.Payload = s.payload
	src, dst := s.src.Addr().As4(), s.dst.Addr().As4()
	flow := gopacket.NewFlow(layers.EndpointIPv4, src[:], dst[:])
	a.AssembleWithContext(flow, &tcp, assemblerContext{})
}

type assemblerContext struct{}

func (assemblerContext) GetCaptureInfo() gopacket.CaptureInfo { return gopacket.CaptureInfo{} }

// Overlapping segments of any cut give each byte once.
func TestReassemblyOverlaps(t *testing.T) {
	text := []byte("the quick brown fox jumps over the lazy dog")
	src, dst := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		isn := rng.Uint32()
		got := &recorder{}
		r := newReassembler(func(_, _ netip.AddrPort) streamHandler { return got })
		r.add(&segment{src: src, dst: dst, seq: isn, syn: true})
		for range 60 {
			from := rng.IntN(len(text))
			to := from + 1 + rng.IntN(len(text)-from)
			r.add(&segment{src: src, dst: dst, seq: isn + 1 + uint32(from), payload: text[from:to]})
		}
		r.add(&segment{src: src, dst: dst, seq: isn + 1, payload: text})
		if got.bytes[0].String() != string(text) || len(got.gaps[0]) > 0 || r.queued != 0 {
			t.Fatalf("seed %d: %q, gaps %v, %d queued", seed, got.bytes[0].String(), got.gaps, r.queued)
		}
	}
}

// What waits is bounded in bytes, pieces and time, and gaps are measured.
func TestReassemblyBounds(t *testing.T) {
	src, dst := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	start := func() (*reassembler, *recorder) {
		got := &recorder{}
		r := newReassembler(func(_, _ netip.AddrPort) streamHandler { return got })
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 99, syn: true})
		return r, got
	}
	t.Run("bytes", func(t *testing.T) {
		r, got := start()
		b := make([]byte, 60000)
		for i := range 1000 {
			r.add(&segment{time: epoch, src: src, dst: dst, seq: 105 + uint32(i*60001), payload: b})
			if r.queued > maxQueuedBytes+len(b) {
				t.Fatalf("%d bytes queued", r.queued)
			}
		}
		if got.gaps[0][0] != 5 || got.gaps[0][1] != 1 {
			t.Errorf("gaps %v", got.gaps[0][:2])
		}
	})
	t.Run("bytes of all connections", func(t *testing.T) {
		r, got := start()
		b := make([]byte, 60000)
		for i := range 100 {
			from := netip.AddrPortFrom(src.Addr(), uint16(1000+i))
			r.add(&segment{time: epoch, src: from, dst: dst, seq: 99, syn: true})
			for j := range 15 {
				r.add(&segment{time: epoch, src: from, dst: dst, seq: 105 + uint32(j*60001), payload: b})
			}
			if r.queued > maxQueuedTotal {
				t.Fatalf("%d bytes queued", r.queued)
			}
		}
		r.closeAll()
		if r.queued != 0 || got.bytes[0].Len() != 100*15*len(b) {
			t.Errorf("%d bytes queued, %d given out", r.queued, got.bytes[0].Len())
		}
	})
	t.Run("pieces", func(t *testing.T) {
		r, got := start()
		for i := range 5000 {
			r.add(&segment{time: epoch, src: src, dst: dst, seq: 105 + uint32(i*2), payload: []byte{1}})
		}
		if n := len(r.newest.halves[0].queue); n > maxQueuedPieces || len(got.gaps[0]) == 0 {
			t.Errorf("%d pieces queued", n)
		}
	})
	t.Run("time", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 105, payload: []byte("late")})
		r.add(&segment{time: epoch.Add(maxQueuedTime), src: src, dst: dst, seq: 109, payload: []byte("r")})
		if got.bytes[0].Len() != 0 {
			t.Errorf("gave up too early: %q", got.bytes[0].String())
		}
		r.add(&segment{time: epoch.Add(maxQueuedTime + 1), src: src, dst: dst, seq: 110, payload: []byte("!")})
		if got.bytes[0].String() != "later!" {
			t.Errorf("%q", got.bytes[0].String())
		}
	})
	t.Run("order", func(t *testing.T) {
		r, got := start()
		later := epoch.Add(time.Second)
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 105, payload: []byte("second")})
		r.add(&segment{time: later, src: src, dst: dst, seq: 100, payload: []byte("first")})
		if got.bytes[0].String() != "firstsecond" || len(got.times) != 2 || !got.times[1].Equal(later) {
			t.Errorf("%q at %v; what waits is complete when the first byte comes", got.bytes[0].String(), got.times)
		}
	})
	t.Run("answered", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 105, payload: []byte("question")})
		r.add(&segment{time: epoch, src: dst, dst: src, seq: 7, ack: true, ackNumber: 113, payload: []byte("answer")})
		if got.bytes[0].String() != "question" || got.bytes[1].String() != "answer" || got.gaps[0][0] != 5 {
			t.Errorf("%q, %q, gaps %v", got.bytes[0].String(), got.bytes[1].String(), got.gaps)
		}
	})
	t.Run("tail", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("question")})
		r.add(&segment{time: epoch, src: dst, dst: src, seq: 7, ack: true, ackNumber: 108 + 20})
		r.closeAll()
		if got.bytes[0].String() != "question" || len(got.gaps[0]) != 1 || got.gaps[0][0] != 20 {
			t.Errorf("%q, gaps %v", got.bytes[0].String(), got.gaps)
		}
		r, got = start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("question")})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 128, fin: true})
		r.add(&segment{time: epoch, src: dst, dst: src, seq: 7, ack: true, ackNumber: 129})
		r.closeAll()
		if len(got.gaps[0]) != 1 || got.gaps[0][0] != 20 {
			t.Errorf("before a FIN: gaps %v", got.gaps)
		}
		// One byte more was a FIN, captured or not.
		for _, fin := range []bool{false, true} {
			r, got := start()
			r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("question"), fin: fin})
			r.add(&segment{time: epoch, src: dst, dst: src, seq: 7, ack: true, ackNumber: 109})
			r.closeAll()
			if len(got.gaps[0]) != 0 {
				t.Errorf("FIN captured: %v, gaps %v", fin, got.gaps)
			}
		}
	})
	t.Run("connections", func(t *testing.T) {
		r, _ := start()
		for i := range 3 * maxConnections {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
			r.add(&segment{time: epoch, src: from, dst: dst, syn: true})
		}
		if len(r.conns) != maxConnections {
			t.Errorf("%d connections remembered", len(r.conns))
		}
		// The one that is heard of again stays, the others go in order.
		old := r.oldest
		r.add(&segment{time: epoch, src: old.src, dst: dst, seq: 1, payload: []byte("a")})
		second := r.oldest
		r.add(&segment{time: epoch, src: netip.MustParseAddrPort("192.0.2.9:9"), dst: dst, syn: true})
		if r.conns[old.key] == nil || r.conns[second.key] != nil || second == old {
			t.Error("the wrong connection was forgotten")
		}
	})
	t.Run("SYN again", func(t *testing.T) {
		r, got := start()
		opened := 1
		r.open = func(_, _ netip.AddrPort) streamHandler { opened++; return got }
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("a")})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 99, syn: true})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 101, payload: []byte("b")})
		if got.bytes[0].String() != "ab" || opened != 1 {
			t.Errorf("%q, %d connections", got.bytes[0].String(), opened)
		}
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 5000, syn: true})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 5001, payload: []byte("c")})
		if got.bytes[0].String() != "abc" || opened != 2 || len(got.gaps[0]) > 0 {
			t.Errorf("%q, %d connections, gaps %v", got.bytes[0].String(), opened, got.gaps)
		}
	})
	t.Run("jump", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("a")})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100 + 1<<30, payload: []byte("b")})
		if got.bytes[0].String() != "ab" || len(got.gaps[0]) != 1 || got.gaps[0][0] != -1 {
			t.Errorf("%q, gaps %v", got.bytes[0].String(), got.gaps)
		}
	})
	t.Run("reset", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 105, payload: []byte("b")})
		r.add(&segment{time: epoch, src: dst, dst: src, rst: true})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 106, payload: []byte("c")})
		if got.bytes[0].String() != "b" {
			t.Errorf("%q", got.bytes[0].String())
		}
	})
	t.Run("finished", func(t *testing.T) {
		r, got := start()
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("a"), fin: true})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 100, payload: []byte("a"), fin: true})
		r.add(&segment{time: epoch, src: src, dst: dst, seq: 101, payload: []byte("beyond")})
		if got.bytes[0].String() != "a" {
			t.Errorf("%q", got.bytes[0].String())
		}
	})
}
