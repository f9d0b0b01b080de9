package wire

import (
	"bytes"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"golang.org/x/net/bpf"
)

// portFilter accepts IPv4 packets from or to a TCP port, as tcpdump's "tcp port"
// does.
func portFilter(port uint16) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x0800, SkipTrue: 8},
		bpf.LoadAbsolute{Off: 23, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 6, SkipTrue: 6},
		bpf.LoadMemShift{Off: 14},
		bpf.LoadIndirect{Off: 14, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: 2},
		bpf.LoadIndirect{Off: 16, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(port), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 18},
		bpf.RetConstant{Val: 0},
	}
}

// sniff captures a port's traffic on loopback until the given number of
// connections has ended; the function it returns waits for that and returns a
// capture file. The test is skipped where packets may not be captured.
func sniff(t *testing.T, port uint16, connections int) func() []byte {
	t.Helper()
	h, err := pcapgo.NewEthernetHandle("lo")
	if err != nil {
		t.Skipf("%v: %v", errNoRights, err)
	}
	if err := h.SetCaptureLength(1 << 17); err != nil {
		t.Fatal(err)
	}

	// Without a filter, what others say on loopback can fill the socket's buffer.
	filter, err := bpf.Assemble(portFilter(port))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetBPF(filter); err != nil {
		t.Fatal(err)
	}

	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	var stop atomic.Bool
	go func() {
		finished := map[uint16]bool{} // by the port at the other end
		ended := map[[2]uint16]bool{}
		for len(finished) < connections && !stop.Load() {
			data, info, err := h.ReadPacketData()
			if err != nil {
				done <- err
				return
			}
			s, v := dissect(capturedPacket{time: info.Timestamp, link: linkEthernet, data: data})
			if v != isTCP || s.Source.Port() != port && s.Destination.Port() != port {
				continue
			}
			if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: info.Timestamp, CaptureLength: len(data), Length: len(data)}, data); err != nil {
				done <- err
				return
			}
			from, to := s.Source.Port(), s.Destination.Port()
			ended[[2]uint16{from, to}] = ended[[2]uint16{from, to}] || s.FIN
			if s.RST || ended[[2]uint16{from, to}] && ended[[2]uint16{to, from}] {
				finished[max(from, to)+min(from, to)-port] = true
			}
		}

		done <- w.Flush()
	}()

	return func() []byte {
		t.Helper()
		defer h.Close()
		whole := true
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			// One more packet wakes the reader.
			stop.Store(true)
			if c, err := net.Dial("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port).String()); err == nil {
				_ = c.Close()
			}
			<-done
			whole = false
		}

		if stats, err := h.Stats(); err == nil && stats.Drops > 0 {
			t.Skipf("the machine is too busy: the kernel dropped %d packets", stats.Drops)
		}
		if !whole {
			t.Fatalf("got no end of the connections in %v, want it captured", patience)
		}

		return file.Bytes()
	}
}
