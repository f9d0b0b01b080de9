package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

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
	var file bytes.Buffer
	w, err := pcapgo.NewNgWriter(&file, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer h.Close()
		d := newDissector()
		finished := map[uint16]bool{} // by the port at the other end
		ended := map[[2]uint16]bool{}
		for len(finished) < connections {
			data, info, err := h.ReadPacketData()
			if err != nil {
				done <- err
				return
			}
			s, v := d.dissect(capturedPacket{time: info.Timestamp, link: linkEthernet, data: data})
			if v != isTCP || s.src.Port() != port && s.dst.Port() != port {
				continue
			}
			if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: info.Timestamp, CaptureLength: len(data), Length: len(data)}, data); err != nil {
				done <- err
				return
			}
			from, to := s.src.Port(), s.dst.Port()
			ended[[2]uint16{from, to}] = ended[[2]uint16{from, to}] || s.fin
			if s.rst || ended[[2]uint16{from, to}] && ended[[2]uint16{to, from}] {
				finished[max(from, to)+min(from, to)-port] = true
			}
		}
		done <- w.Flush()
	}()
	return func() []byte {
		t.Helper()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("the end of the connections was not captured")
		}
		return file.Bytes()
	}
}
