package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Limits on what a capture file may ask for. Real files stay far below.
const (
	maxPacket     = 1 << 20 // bytes of one captured packet
	maxBlock      = 2 << 20 // bytes of one pcapng block that is not skipped
	maxInterfaces = 1 << 16 // of one section of a pcapng file
)

// ErrCapture is the class of every error about a capture file itself.
var ErrCapture = errors.New("bad capture file")

// packetSource gives captured packets, and io.EOF at their good end.
type packetSource interface {
	next() (capturedPacket, error)
}

// capturedPacket is one packet of a file.
type capturedPacket struct {
	time time.Time // zero if no calendar has it
	link uint16    // LINKTYPE_ number
	data []byte    // valid until the next packet is read

	guessed bool // in what unit the time is, or from where on: the file says it badly
}

// captureFile reads the packets of a pcap or pcapng file, packed or not. It
// compares every length with what is there, and with a limit, before it is used.
type captureFile struct {
	r      *bufio.Reader
	packed bool
	offset int64  // of the next byte, in what was packed
	start  int64  // of the current block
	block  []byte // the current block
	order  binary.ByteOrder

	pcap  pcapHeader
	links []link // of each interface of a pcapng section
	ng    bool
	last  time.Time
}

// pcapHeader is what the header of a pcap file says of its records.
type pcapHeader struct {
	link     uint16
	nanos    bool // fractions of a second are nanoseconds
	lenHead  int  // bytes before a packet's data
	swapped  bool // the two lengths are, always
	sometime bool // or where the one captured would be the greater one
}

// openCapture reads the beginning of a capture file.
func openCapture(r io.Reader) (*captureFile, error) {
	f := &captureFile{}
	var err error
	if f.r, f.packed, err = unpack(r); err != nil {
		return nil, err
	}

	magic, err := f.r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, f.reason(err)
	}

	switch {
	case len(magic) == 0 && errors.Is(err, io.ErrUnexpectedEOF):
		return nil, f.bad("the file was cut off before anything of it can be unpacked")
	case len(magic) == 0:
		return nil, f.bad("the file is empty")
	case len(magic) < 4:
		return nil, f.bad("neither pcap nor pcapng: %d bytes are too few", len(magic))
	case binary.LittleEndian.Uint32(magic) == blockSection:
		f.ng = true
		return f, nil
	}
	return f, f.pcapHeader(magic)
}

// next implements packetSource.
func (f *captureFile) next() (capturedPacket, error) {
	var p capturedPacket
	var err error
	if f.ng {
		p, err = f.nextBlock()
	} else {
		p, err = f.nextRecord()
	}
	// A time that no calendar has would break whoever prints it.
	if y := p.time.Year(); y < 1 || y > 9999 {
		p.time = time.Time{}
	}
	f.last = p.time
	return p, err
}

// bad returns an error that says where in the file the block in question is.
func (f *captureFile) bad(reason string, args ...any) error {
	where := "offset"
	if f.packed {
		where = "offset (unpacked)"
	}
	return fmt.Errorf("%w: at %s %d: %s", ErrCapture, where, f.start, fmt.Sprintf(reason, args...))
}

// reason returns why no more can be read: what is packed badly is bad as well.
func (f *captureFile) reason(err error) error {
	if f.packed && !errors.Is(err, errInput) {
		return f.bad("it cannot be unpacked further: %v", err)
	}
	return err
}

// begin begins the next block.
func (f *captureFile) begin() {
	f.block, f.start = f.block[:0], f.offset
}

// fill reads the next n bytes to the end of the block. Memory grows with what
// the file holds, not with what it claims.
func (f *captureFile) fill(n int) error {
	for n > 0 {
		at, step := len(f.block), min(n, 1<<16)
		f.block = slices.Grow(f.block, step)[:at+step]
		got, err := io.ReadFull(f.r, f.block[at:])
		f.block = f.block[:at+got]
		f.offset += int64(got)
		n -= got
		if err == nil {
			continue
		}

		switch {
		case errors.Is(err, errInput):
			return err
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return f.reason(err)
		case len(f.block) == 0 && errors.Is(err, io.EOF):
			return io.EOF
		}

		return f.bad("the file ends after %d bytes of a block that is longer: it was cut off", len(f.block))
	}
	return nil
}

// How pcap files begin, in the order of bytes of who wrote them.
const (
	pcapMicros   = 0xa1b2c3d4
	pcapNanos    = 0xa1b23c4d
	pcapModified = 0xa1b2cd34 // of a patched libpcap
)

// pcapHeader reads the header of a pcap file.
//
// Source: draft-ietf-opsawg-pcap section 4; for versions before 2.4, in which
// programs differed on the order of the lengths, libpcap's manual.
func (f *captureFile) pcapHeader(magic []byte) error {
	h := &f.pcap
	h.lenHead = 16
	f.order = binary.LittleEndian
	if magic[0] == 0xa1 {
		f.order = binary.BigEndian
	}

	switch f.order.Uint32(magic) {
	case pcapMicros:
	case pcapNanos:
		h.nanos = true
	case pcapModified:
		h.lenHead = 24 // with the interface and the protocol of each packet
	default:
		return f.bad("neither pcap nor pcapng: it begins with % x", magic)
	}

	f.begin()
	if err := f.fill(24); err != nil {
		return err
	}

	major, minor := f.order.Uint16(f.block[4:]), f.order.Uint16(f.block[6:])
	if major != 2 || minor > 4 {
		return f.bad("pcap version %d.%d is not known, only 2.0 to 2.4", major, minor)
	}
	h.swapped, h.sometime = minor < 3, minor == 3
	// The length of a frame check sequence may be in the high bits.
	h.link = uint16(f.order.Uint32(f.block[20:]))
	return nil
}

// nextRecord reads the next packet of a pcap file. Some programs write a length
// that is less than what they captured; the bytes are there all the same.
//
// Source: draft-ietf-opsawg-pcap section 5.
func (f *captureFile) nextRecord() (capturedPacket, error) {
	h := &f.pcap
	f.begin()
	if err := f.fill(h.lenHead); err != nil {
		return capturedPacket{}, err
	}
	seconds, fraction := f.order.Uint32(f.block), f.order.Uint32(f.block[4:])
	captured, length := f.order.Uint32(f.block[8:]), f.order.Uint32(f.block[12:])
	if h.swapped || h.sometime && captured > length {
		captured = length
	}
	if captured > maxPacket {
		return capturedPacket{}, f.bad("a packet claims %d bytes, the most is %d", captured, maxPacket)
	}

	if err := f.fill(int(captured)); err != nil {
		return capturedPacket{}, err
	}
	nanos := int64(fraction)
	if !h.nanos {
		nanos *= 1000
	}
	return capturedPacket{time: time.Unix(int64(seconds), nanos).UTC(), link: h.link, data: f.block[h.lenHead:]}, nil
}
