package wire

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"slices"
	"time"
)

// What is kept of IP packets that came in pieces. With more than that the oldest is
// given up, and what has waited for longer than a receiver waits.
//
// Source: RFC 8200 section 4.5 for the time.
const (
	maxFragmentBytes = 8 << 20 // of all pieces, with what it takes to keep them
	fragmentCost     = 64      // to keep one, beside its bytes
	fragmentTime     = time.Minute
	maxIP            = 1<<16 - 1 // bytes of an IP packet
)

// fragments puts together IP packets that came in pieces.
type fragments struct {
	waiting map[fragmentKey]*fragmented // and those that were whole, for their copies
	seed    maphash.Seed
	oldest  []*fragmented // in the order of their first piece; some have gone
	bytes   int
	lost    func(protocol byte, pieces int64) // told of packets that were given up
	joined  func(pieces int64)                // told of those that came to be whole
}

// fragmentKey is what the pieces of one packet have in common.
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol byte
}

// fragmented is a packet of which some pieces are there.
type fragmented struct {
	key    fragmentKey
	first  time.Time
	pieces []fragment // in their order, none overlaps
	got    int        // bytes of them
	total  int        // bytes of all, -1 as long as the last is not there
	whole  bool       // given out: of the pieces there are only the hashes
	gone   bool
}

type fragment struct {
	at, size int
	data     []byte
	hash     uint64 // of data, when that is not kept any more
}

func newFragments(lost func(byte, int64), joined func(int64)) *fragments {
	return &fragments{waiting: map[fragmentKey]*fragmented{}, seed: maphash.MakeSeed(), lost: lost, joined: joined}
}

// add takes a piece and returns the packet's content when it is whole, and else what
// became of the piece: it is held, or belongs to no packet that could be.
func (f *fragments) add(key fragmentKey, now time.Time, at int, more bool, b []byte) (whole []byte, v verdict) {
	if len(b) == 0 || more && len(b)%8 != 0 || at+len(b) > maxIP {
		return nil, unread(key.protocol)
	}

	p := f.waiting[key]
	if p != nil && p.whole && p.has(at, len(b), maphash.Bytes(f.seed, b)) {
		return nil, isRepeated // captured at two interfaces
	}
	if p != nil && (p.whole || now.Sub(p.first) > fragmentTime) {
		f.giveUp(p) // its number is used again
		p = nil
	}

	if p == nil {
		p = &fragmented{key: key, first: now, total: -1}
		f.waiting[key] = p
		f.oldest = append(f.oldest, p)
	}

	i := p.find(at)
	if i < len(p.pieces) && p.pieces[i].at == at && bytes.Equal(p.pieces[i].data, b) {
		return nil, isRepeated
	}
	end := at + len(b)
	overlaps := i > 0 && p.pieces[i-1].at+p.pieces[i-1].size > at || i < len(p.pieces) && p.pieces[i].at < end
	beyond := p.total >= 0 && end > p.total || !more && len(p.pieces) > 0 && p.end() > end || !more && p.total >= 0
	if overlaps || beyond {
		f.giveUp(p) // RFC 5722: whoever sends this means no good
		return nil, unread(key.protocol)
	}
	if !more {
		p.total = end
	}

	p.pieces = slices.Insert(p.pieces, i, fragment{at: at, size: len(b), data: slices.Clone(b)})
	p.got += len(b)
	f.bytes += len(b) + fragmentCost
	if p.got == p.total {
		return f.join(p), isTCP
	}
	f.makeRoom()
	return nil, isHeld
}

// unread is the verdict on a piece whose packet is not read.
func unread(protocol byte) verdict {
	if protocol == ipTCP {
		return isFragment
	}
	return isOther
}

func (p *fragmented) end() int {
	last := p.pieces[len(p.pieces)-1]
	return last.at + last.size
}

// find returns where the first piece is that does not lie before a place.
func (p *fragmented) find(at int) int {
	i, _ := slices.BinarySearchFunc(p.pieces, at, func(x fragment, at int) int { return x.at - at })
	return i
}

func (p *fragmented) has(at, size int, hash uint64) bool {
	i := p.find(at)
	return i < len(p.pieces) && p.pieces[i].at == at && p.pieces[i].size == size && p.pieces[i].hash == hash
}

func (f *fragments) join(p *fragmented) []byte {
	whole := make([]byte, 0, p.total)
	for i := range p.pieces {
		x := &p.pieces[i]
		whole = append(whole, x.data...)
		x.hash, x.data = maphash.Bytes(f.seed, x.data), nil
	}
	f.joined(int64(len(p.pieces)) - 1) // the last one counts as the packet
	f.bytes -= p.got
	p.got, p.whole = 0, true
	return whole
}

// makeRoom gives up the oldest until the rest is within the limit.
func (f *fragments) makeRoom() {
	for f.bytes > maxFragmentBytes {
		f.giveUp(f.oldest[0]) // harmless if it has gone
		f.oldest = f.oldest[1:]
	}
	// What has gone in the middle of the order is taken out in one go, now and then.
	if len(f.oldest) > 2*len(f.waiting)+16 {
		f.oldest = slices.DeleteFunc(f.oldest, func(p *fragmented) bool { return p.gone })
	}
}

func (f *fragments) giveUp(p *fragmented) {
	if p.gone {
		return
	}
	if !p.whole {
		f.lost(p.key.protocol, int64(len(p.pieces)))
	}
	p.gone = true
	f.bytes -= p.got + len(p.pieces)*fragmentCost
	p.pieces = nil
	if f.waiting[p.key] == p {
		delete(f.waiting, p.key)
	}
}

// close gives up what is not whole.
func (f *fragments) close() {
	for _, p := range f.oldest {
		f.giveUp(p)
	}
	f.oldest = nil
}
