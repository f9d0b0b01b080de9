package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/bits"
	"time"
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

// link is one interface of a pcapng section.
type link struct {
	typ     uint16 // LINKTYPE_ number
	snaplen uint32
	unit    timeUnit
	offset  int64 // seconds to be added to times
	guessed bool  // unit or offset are not the file's, which cannot be read
}

// nextBlock reads pcapng blocks up to the next packet.
func (f *captureFile) nextBlock() (capturedPacket, error) {
	for {
		f.begin()
		if err := f.fill(8); err != nil {
			return capturedPacket{}, err
		}

		typ, err := f.blockType()
		if err != nil {
			return capturedPacket{}, err
		}

		total := f.order.Uint32(f.block[4:])
		if total < 12 || total%4 != 0 || int64(total) < int64(len(f.block))+4 {
			return capturedPacket{}, f.bad("block with a length of %d", total)
		}

		switch typ {
		case blockSection, blockInterface, blockPacketOld, blockSimple, blockEnhanced:
		default:
			if err := f.skipBlock(total); err != nil {
				return capturedPacket{}, err
			}
			continue
		}

		if total > maxBlock {
			return capturedPacket{}, f.bad("block of type %d claims %d bytes, the most is %d", typ, total, maxBlock)
		}
		if err := f.fill(int(total) - len(f.block)); err != nil {
			return capturedPacket{}, err
		}
		b := f.block
		if again := f.order.Uint32(b[total-4:]); again != total {
			return capturedPacket{}, f.bad("block with a length of %d at its start and %d at its end", total, again)
		}
		switch typ {
		case blockSection:
			err = f.section(b)
		case blockInterface:
			err = f.iface(b)
		default:
			return f.packet(typ, b)
		}
		if err != nil {
			return capturedPacket{}, err
		}
	}
}

// blockType returns the type of the block that was begun. That of a section
// header reads the same in either byte order, and says which it is.
func (f *captureFile) blockType() (uint32, error) {
	typ := binary.LittleEndian.Uint32(f.block)
	if typ != blockSection {
		if f.order == binary.BigEndian {
			typ = binary.BigEndian.Uint32(f.block)
		}
		return typ, nil
	}
	if err := f.fill(4); err != nil {
		return 0, err
	}
	const mark = 0x1a2b3c4d
	switch {
	case binary.LittleEndian.Uint32(f.block[8:]) == mark:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(f.block[8:]) == mark:
		f.order = binary.BigEndian
	default:
		return 0, f.bad("section header with byte order mark % x", f.block[8:12])
	}
	return typ, nil
}

// skipBlock skips the rest of a block, of which type and length are read.
func (f *captureFile) skipBlock(total uint32) error {
	skipped, err := io.CopyN(io.Discard, f.r, int64(total)-12)
	f.offset += skipped
	switch {
	case errors.Is(err, io.EOF):
		return f.bad("the file ends in a block of %d bytes: it was cut off", total)
	case err != nil:
		return f.reason(err)
	}
	if err := f.fill(4); err != nil {
		return err
	}
	if again := f.order.Uint32(f.block[8:]); again != total {
		return f.bad("block with a length of %d at its start and %d at its end", total, again)
	}
	return nil
}

// section reads a section header. Minor versions add nothing that a reader must
// know.
//
// Source: draft-ietf-opsawg-pcapng section 4.1.
func (f *captureFile) section(b []byte) error {
	if len(b) < 28 {
		return f.bad("section header of %d bytes", len(b))
	}
	if major, minor := f.order.Uint16(b[12:]), f.order.Uint16(b[14:]); major != 1 {
		return f.bad("pcapng version %d.%d is not known, only 1", major, minor)
	}
	f.links = f.links[:0]
	return nil
}

// iface reads an interface description. A unit or an offset of times that has not its
// length is passed over, as Wireshark does: all else of the file may be good.
func (f *captureFile) iface(b []byte) error {
	if len(b) < 20 {
		return f.bad("interface description of %d bytes", len(b))
	}
	if len(f.links) == maxInterfaces {
		return f.bad("more than %d interfaces", maxInterfaces)
	}

	l := link{typ: f.order.Uint16(b[8:]), snaplen: f.order.Uint32(b[12:]), unit: microseconds}
	for options := b[16 : len(b)-4]; len(options) >= 4; {
		code, n := f.order.Uint16(options), int(f.order.Uint16(options[2:]))
		if code == 0 {
			break
		}
		padded := 4 + (n+3)&^3
		if padded > len(options) {
			return f.bad("option %d of an interface claims %d bytes, %d are left", code, n, len(options)-4)
		}

		const unit, offset = 9, 14 // if_tsresol, if_tsoffset
		switch {
		case code == unit && n != 1, code == offset && n != 8:
			l.guessed = true
		case code == unit:
			l.unit = timeUnit(options[4])
		case code == offset:
			l.offset = int64(f.order.Uint64(options[4:]))
		}
		options = options[padded:]
	}

	f.links = append(f.links, l)
	return nil
}

// packet reads a packet, if its lengths hold.
func (f *captureFile) packet(typ uint32, b []byte) (capturedPacket, error) {
	head := 28 // before the data
	if typ == blockSimple {
		head = 12
	}
	if len(b) < head+4 {
		return capturedPacket{}, f.bad("packet block of %d bytes", len(b))
	}

	var index, captured uint32
	switch typ {
	case blockSimple:
		if captured = f.order.Uint32(b[8:]); len(f.links) > 0 && f.links[0].snaplen > 0 {
			captured = min(captured, f.links[0].snaplen)
		}
	case blockPacketOld:
		index, captured = uint32(f.order.Uint16(b[8:])), f.order.Uint32(b[20:])
	default:
		index, captured = f.order.Uint32(b[8:]), f.order.Uint32(b[20:])
	}

	if uint64(index) >= uint64(len(f.links)) {
		return capturedPacket{}, f.bad("packet of interface %d, but the section has %d", index, len(f.links))
	}
	if captured > maxPacket || int(captured) > len(b)-head-4 {
		return capturedPacket{}, f.bad("packet claims %d bytes in a block of %d", captured, len(b))
	}

	l := &f.links[index]
	p := capturedPacket{time: f.last, link: l.typ, data: b[head : head+int(captured)]}
	if typ != blockSimple { // which has no time: that of the last one is near
		p.time = l.unit.time(uint64(f.order.Uint32(b[12:]))<<32|uint64(f.order.Uint32(b[16:])), l.offset)
		p.guessed = l.guessed
	}
	return p, nil
}

// timeUnit is the unit of an interface's times, as if_tsresol has it: a negative
// power of ten or, with the high bit, of two.
//
// Source: draft-ietf-opsawg-pcapng section 4.2.
type timeUnit byte

const microseconds timeUnit = 6

// time returns a time in units since 1970, or zero if no calendar has it.
func (u timeUnit) time(units uint64, offset int64) time.Time {
	var seconds, nanos uint64
	n := int(u &^ 0x80)
	switch {
	case u&0x80 != 0:
		if n < 64 {
			seconds = units >> n
			high, low := bits.Mul64(units&(1<<n-1), 1e9)
			nanos = high<<(64-n) | low>>n
		} else {
			high, _ := bits.Mul64(units, 1e9)
			nanos = high >> (n - 64)
		}
	case n < 20:
		unit := power10(n)
		seconds = units / unit
		high, low := bits.Mul64(units%unit, 1e9)
		nanos, _ = bits.Div64(high, low, unit)
	case n < 9+20:
		nanos = units / power10(n-9) // less than 1e9: units has at most 20 digits
	}
	if seconds > math.MaxInt64/2 || offset > math.MaxInt64/2 || offset < -math.MaxInt64/2 {
		return time.Time{}
	}

	// Beyond what time.Time holds, its year wraps.
	const most = 1 << 40 // seconds; 34,865 years
	s := int64(seconds) + offset
	if s > most || s < -most {
		return time.Time{}
	}
	return time.Unix(s, int64(nanos)).UTC()
}

// power10 returns 10 to the n, for n up to 19.
func power10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
