package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits on what a capture file may ask for. Real files stay far below.
const (
	maxPacket     = 1 << 20 // bytes of one captured packet
	maxBlock      = 2 << 20 // bytes of one pcapng block that is not skipped
	maxInterfaces = 1 << 16 // of one section of a pcapng file
)

// The pcapng blocks that matter here; others are skipped.
//
// Source: draft-ietf-opsawg-pcapng sections 4.1 to 4.4 and appendix A.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacketOld = 2
	blockSimple    = 3
	blockEnhanced  = 6
)

// ErrCapture is the class of every error about a capture file itself.
var ErrCapture = errors.New("bad capture file")

// guard stands between a capture file and pcapgo, which believes what a file
// says: 80 bytes can make it allocate 256 MB, an option can make it divide by
// zero, and a length can wrap. The guard reads a header or block, checks every
// length in it against what is there, and hands on only what pcapgo needs.
//
// It hands on one block at a time, so that pcapgo, which reads ahead, never
// has bytes of the block after the one it returned.
type guard struct {
	r      *bufio.Reader
	offset int64        // of the next byte of the file
	start  int64        // of the current block in the file
	block  bytes.Buffer // the current block
	out    []byte       // what pcapgo has yet to read of it
	err    error        // why there are no more

	ng    bool // pcapng, not pcap
	order binary.ByteOrder
	links []link // of each interface; of pcap's one

	current link // of the packet handed on last
}

type link struct {
	typ     uint16 // LINKTYPE_ number; pcapgo keeps only its low byte
	snaplen uint32
}

func newGuard(r io.Reader) (*guard, error) {
	g := &guard{r: bufio.NewReaderSize(r, 1<<16)}
	magic, err := g.r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(magic) == 0:
		return nil, g.bad("the file is empty")
	case len(magic) < 4:
		return nil, g.bad("neither pcap nor pcapng: %d bytes are too few", len(magic))
	case magic[0] == 0x1f && magic[1] == 0x8b:
		return nil, g.bad("compressed with gzip: unpack it first, with gunzip")
	}
	switch binary.LittleEndian.Uint32(magic) {
	case blockSection:
		g.ng = true
	case 0xa1b2c3d4, 0xa1b23c4d:
		g.order = binary.LittleEndian
	case 0xd4c3b2a1, 0x4d3cb2a1:
		g.order = binary.BigEndian
	default:
		return nil, g.bad("neither pcap nor pcapng: it begins with % x", magic)
	}
	return g, nil
}

// bad returns an error that says where in the file the block in question is.
func (g *guard) bad(reason string, args ...any) error {
	return fmt.Errorf("%w: at offset %d: %s", ErrCapture, g.start, fmt.Sprintf(reason, args...))
}

// Read implements io.Reader, for pcapgo.
func (g *guard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(g.out) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		if g.ng {
			g.err = g.nextBlock()
		} else {
			g.err = g.nextRecord()
		}
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}

// fill reads the next n bytes of the file to the end of the block. Memory grows
// with what the file holds, not with what it claims.
func (g *guard) fill(n int) error {
	got, err := io.CopyN(&g.block, g.r, int64(n))
	if err == nil {
		g.offset += got
		return nil
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if got == 0 && g.block.Len() == 0 {
		return io.EOF
	}
	g.offset += got
	return g.bad("the file ends after %d bytes of a block that is longer: it was cut off", g.block.Len())
}

// nextRecord reads the header or the next record of a pcap file.
//
// Source: draft-ietf-opsawg-pcap sections 4 and 5.
func (g *guard) nextRecord() error {
	g.block.Reset()
	g.start = g.offset
	if len(g.links) == 0 {
		if err := g.fill(24); err != nil {
			return err
		}
		b := g.block.Bytes()
		if major, minor := g.order.Uint16(b[4:]), g.order.Uint16(b[6:]); major != 2 || minor != 4 {
			return g.bad("pcap version %d.%d is not known, only 2.4", major, minor)
		}
		// The length of a frame check sequence may be in the high bits.
		g.current = link{typ: g.order.Uint16(linkHalf(b[20:24], g.order))}
		g.links = append(g.links, g.current)
		// Tools differ on whether it binds; the lengths are checked below.
		g.order.PutUint32(b[16:], maxPacket)
		g.out = b
		return nil
	}
	if err := g.fill(16); err != nil {
		return err
	}
	captured, length := g.order.Uint32(g.block.Bytes()[8:]), g.order.Uint32(g.block.Bytes()[12:])
	if captured > maxPacket {
		return g.bad("a packet claims %d bytes, the most is %d", captured, maxPacket)
	}
	if captured > length {
		return g.bad("a packet has %d bytes captured of %d", captured, length)
	}
	if err := g.fill(int(captured)); err != nil {
		return err
	}
	g.out = g.block.Bytes()
	return nil
}

// linkHalf returns the two bytes of pcap's last field that hold the link type.
func linkHalf(b []byte, order binary.ByteOrder) []byte {
	if order == binary.BigEndian {
		return b[2:]
	}
	return b[:2]
}

// nextBlock reads pcapng blocks up to the next that matters.
func (g *guard) nextBlock() error {
	g.block.Reset()
	g.start = g.offset
	if err := g.fill(8); err != nil {
		return err
	}
	b := g.block.Bytes()
	typ := binary.LittleEndian.Uint32(b)
	if typ == blockSection { // reads the same in either byte order
		if err := g.fill(4); err != nil {
			return err
		}
		b = g.block.Bytes()
		switch {
		case binary.LittleEndian.Uint32(b[8:]) == 0x1a2b3c4d:
			g.order = binary.LittleEndian
		case binary.BigEndian.Uint32(b[8:]) == 0x1a2b3c4d:
			g.order = binary.BigEndian
		default:
			return g.bad("section header with byte order mark % x", b[8:12])
		}
	} else if g.order == binary.BigEndian {
		typ = binary.BigEndian.Uint32(b)
	}
	total := g.order.Uint32(b[4:])
	if total < 12 || total%4 != 0 || int64(total) < int64(len(b))+4 {
		return g.bad("block with a length of %d", total)
	}
	switch typ {
	case blockSection, blockInterface, blockPacketOld, blockSimple, blockEnhanced:
	default:
		return g.skipBlock(total)
	}
	if total > maxBlock {
		return g.bad("block of type %d claims %d bytes, the most is %d", typ, total, maxBlock)
	}
	if err := g.fill(int(total) - len(b)); err != nil {
		return err
	}
	b = g.block.Bytes()
	if again := g.order.Uint32(b[total-4:]); again != total {
		return g.bad("block with a length of %d at its start and %d at its end", total, again)
	}
	switch typ {
	case blockSection:
		return g.section(b)
	case blockInterface:
		return g.iface(b)
	}
	return g.packet(typ, b)
}

// skipBlock skips the rest of a block, of which type and length are read.
func (g *guard) skipBlock(total uint32) error {
	skipped, err := io.CopyN(io.Discard, g.r, int64(total)-12)
	g.offset += skipped
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err != nil {
		return g.bad("the file ends in a block of %d bytes: it was cut off", total)
	}
	if err := g.fill(4); err != nil {
		return err
	}
	if again := g.order.Uint32(g.block.Bytes()[8:]); again != total {
		return g.bad("block with a length of %d at its start and %d at its end", total, again)
	}
	return nil
}

// section hands on a section header without its options.
func (g *guard) section(b []byte) error {
	if len(b) < 28 {
		return g.bad("section header of %d bytes", len(b))
	}
	if major, minor := g.order.Uint16(b[12:]), g.order.Uint16(b[14:]); major != 1 || minor != 0 {
		return g.bad("pcapng version %d.%d is not known, only 1.0", major, minor)
	}
	g.links = g.links[:0]
	g.out = g.rewrite(b[:24])
	return nil
}

// iface hands on an interface description with no options but the unit of
// time.
func (g *guard) iface(b []byte) error {
	if len(b) < 20 {
		return g.bad("interface description of %d bytes", len(b))
	}
	if len(g.links) == maxInterfaces {
		return g.bad("more than %d interfaces", maxInterfaces)
	}
	l := link{typ: g.order.Uint16(b[8:]), snaplen: min(g.order.Uint32(b[12:]), maxPacket)}
	g.order.PutUint32(b[12:], l.snaplen)
	out := append([]byte(nil), b[:16]...)
	for options := b[16 : len(b)-4]; len(options) >= 4; {
		code, n := g.order.Uint16(options), int(g.order.Uint16(options[2:]))
		if code == 0 {
			break
		}
		padded := 4 + (n+3)&^3
		if padded > len(options) {
			return g.bad("option %d of an interface claims %d bytes, %d are left", code, n, len(options)-4)
		}
		const unit, offset = 9, 14 // if_tsresol, if_tsoffset
		switch {
		case code == unit && n != 1, code == offset && n != 8:
			return g.bad("option %d of an interface has %d bytes", code, n)
		case code == unit && (options[4] < 1 || options[4] > 18):
			return g.bad("time in units of %#x is not read: convert the file, with editcap -F nsecpcap", options[4])
		case code == unit, code == offset:
			out = append(out, options[:padded]...)
		}
		options = options[padded:]
	}
	g.links = append(g.links, l)
	g.out = g.rewrite(append(out, 0, 0, 0, 0))
	return nil
}

// rewrite gives a shortened block its new length, at both ends.
func (g *guard) rewrite(b []byte) []byte {
	n := uint32(len(b) + 4)
	g.order.PutUint32(b[4:], n)
	out := append([]byte(nil), b...)
	out = append(out, 0, 0, 0, 0)
	g.order.PutUint32(out[len(b):], n)
	return out
}

// packet hands on a packet as it is, if its lengths hold.
func (g *guard) packet(typ uint32, b []byte) error {
	head := 28 // before the data
	if typ == blockSimple {
		head = 12
	}
	if len(b) < head+4 {
		return g.bad("packet block of %d bytes", len(b))
	}
	var index, captured uint32
	switch typ {
	case blockSimple:
		if captured = g.order.Uint32(b[8:]); len(g.links) > 0 && g.links[0].snaplen > 0 {
			captured = min(captured, g.links[0].snaplen)
		}
	case blockPacketOld:
		index, captured = uint32(g.order.Uint16(b[8:])), g.order.Uint32(b[20:])
	default:
		index, captured = g.order.Uint32(b[8:]), g.order.Uint32(b[20:])
	}
	if uint64(index) >= uint64(len(g.links)) {
		return g.bad("packet of interface %d, but the section has %d", index, len(g.links))
	}
	if captured > maxPacket || int(captured) > len(b)-head-4 {
		return g.bad("packet claims %d bytes in a block of %d", captured, len(b))
	}
	g.current = g.links[index]
	g.out = b
	return nil
}
