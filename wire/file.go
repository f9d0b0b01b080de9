package wire

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
)

// captureFile reads the packets of a pcap or pcapng file.
type captureFile struct {
	guard  *guard
	source gopacket.ZeroCopyPacketDataSource
}

// capturedPacket is one packet of a file.
type capturedPacket struct {
	time time.Time
	link uint16 // LINKTYPE_ number
	data []byte // valid until the next packet is read
	cut  bool   // the sniffer kept only the beginning
}

func openCapture(r io.Reader) (*captureFile, error) {
	g, err := newGuard(r)
	if err != nil {
		return nil, err
	}
	f := &captureFile{guard: g}
	if g.ng {
		f.source, err = pcapgo.NewNgReader(g, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	} else {
		f.source, err = pcapgo.NewReader(g)
	}
	if err != nil {
		return nil, f.reason(err)
	}
	return f, nil
}

// next returns the next packet, or io.EOF at the file's good end.
func (f *captureFile) next() (capturedPacket, error) {
	data, info, err := f.source.ZeroCopyReadPacketData()
	if err != nil {
		return capturedPacket{}, f.reason(err)
	}
	// A time that no calendar has would break whoever prints it.
	if y := info.Timestamp.Year(); y < 1 || y > 9999 {
		info.Timestamp = time.Time{}
	}
	return capturedPacket{time: info.Timestamp, link: f.guard.current.typ, data: data, cut: info.CaptureLength < info.Length}, nil
}

// reason prefers what the guard found, since pcapgo says less. What pcapgo
// alone finds is about the file too.
func (f *captureFile) reason(err error) error {
	switch {
	case f.guard.err != nil && !errors.Is(f.guard.err, io.EOF):
		return f.guard.err
	case errors.Is(err, io.EOF) && f.guard.err != nil:
		return io.EOF
	}
	return fmt.Errorf("%w: at offset %d: %w", ErrCapture, f.guard.start, err)
}
