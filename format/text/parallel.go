package text

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// lenBatch is how many bytes of logs a worker gets at once.
const lenBatch = 1 << 18

// batch is a stretch of good logs on its way through a worker.
type batch struct {
	logs    []byte
	offset  int64 // in the file
	track   track // where they begin
	places  []clock.Place
	dict    Dictionary
	reloads int // of the dictionaries before
	out     []byte
	report  Report
	from    *block
	done    chan struct{}
}

// block is memory for the bytes of a file, used again once no batch lies in it.
type block struct {
	buf   []byte
	users atomic.Int32 // the stream while it reads into the block, and the batches
}

// pool renders good logs by several goroutines and writes the output in order.
type pool struct {
	s       *stream
	work    chan *batch
	order   chan *batch
	ended   sync.WaitGroup // goroutines
	pending sync.WaitGroup // batches
	blocks  chan *block    // that are free
	outputs chan []byte    // the same of output buffers

	mu     sync.Mutex // over what follows
	report Report     // of the batches written
	err    error      // of writing
}

func newPool(s *stream) *pool {
	n := s.cfg.Parallel
	p := &pool{
		s: s, work: make(chan *batch, n), order: make(chan *batch, 2*n),
		blocks: make(chan *block, 2*n), outputs: make(chan []byte, 3*n),
	}
	for range n {
		p.ended.Go(p.render)
	}
	p.ended.Go(p.write)
	return p
}

// close waits for the goroutines to end.
func (p *pool) close() {
	close(p.work)
	close(p.order)
	p.ended.Wait()
}

// block returns a block that holds what was kept of the last one, which is then
// left to its batches.
func (p *pool) block(last *block, kept []byte) *block {
	var b *block
	select {
	case b = <-p.blocks:
	default:
		b = &block{}
	}
	b.buf = slices.Grow(b.buf[:0], max(lenBuffer, 2*len(kept)))
	b.buf = append(b.buf, kept...)
	b.users.Store(1)
	if last != nil {
		p.release(last)
	}
	return b
}

func (p *pool) release(b *block) {
	if b.users.Add(-1) > 0 {
		return
	}
	select {
	case p.blocks <- b:
	default:
	}
}

// submit has the good logs that the stream's buffer begins with rendered, and
// tells how many bytes they have.
func (p *pool) submit(s *stream) (n int, err error) {
	p.mu.Lock()
	err = p.err
	p.mu.Unlock()
	if err != nil {
		return 0, err
	}

	begin := 0
	at := s.track
	var places []clock.Place
	var ignored Report // the workers report what they come across
	for {
		l, rest, err := format.ParseLog(s.buf[n:])
		if err != nil || !choose.Sound(l) {
			break
		}
		before, place := s.track, s.place(l, s.base+int64(n))
		s.track.pass(l, place, s.cfg, &ignored)
		if d := s.judge.Of(choose.RecordsOf(l)); d != s.out.dict {
			if n > begin {
				p.send(s, begin, n, at, places)
			}
			begin, at, places = n, before, nil
			s.out.use(d)
		}

		places = append(places, place)
		n = len(s.buf) - len(rest)
		if n-begin >= lenBatch {
			p.send(s, begin, n, at, places)
			begin, at, places = n, s.track, nil
		}
	}

	if n > begin {
		p.send(s, begin, n, at, places)
	}
	return n, nil
}

// pass moves on by a sound log.
func (t *track) pass(l format.Log, place clock.Place, cfg *Config, r *Report) {
	t.enter(l.Header, place, r)
	if place.RepeatOf >= 0 && !cfg.Repeats {
		t.skip(l)
		return
	}
	frames := l.Frames()
	for frames.Next() {
		frame := frames.Frame()
		t.frame(&frame, 0, r)
	}
}

func (p *pool) send(s *stream, begin, end int, at track, places []clock.Place) {
	b := &batch{
		logs: s.buf[begin:end:end], offset: s.base + int64(begin), track: at, places: places, dict: s.out.dict,
		reloads: s.reloads, from: s.block, done: make(chan struct{}),
	}
	b.from.users.Add(1)
	p.pending.Add(1)
	p.order <- b // has room for a few, which bounds the memory
	p.work <- b
}

// render is a worker.
func (p *pool) render() {
	out := newRenderer(p.s.cfg, p.s.file)
	reloads := 0
	for b := range p.work {
		if reloads != b.reloads {
			out.forget(p.s.stats)
			reloads = b.reloads
		}

		out.use(b.dict)
		out.report = Report{}
		select {
		case spare := <-p.outputs:
			out.buf = spare[:0]
		default:
		}

		for i, rest := 0, b.logs; len(rest) > 0; i++ {
			offset := b.offset + int64(len(b.logs)-len(rest))
			var l format.Log
			l, rest, _ = format.ParseLog(rest) // submit has looked at them
			out.log(l, offset, &b.track, b.places[i])
		}

		b.out, b.report = out.buf, out.report
		out.buf = nil
		close(b.done)
	}
	out.forget(p.s.stats)
}

// write writes the batches in order.
func (p *pool) write() {
	for b := range p.order {
		<-b.done
		p.mu.Lock()
		err := p.err
		p.mu.Unlock()
		if err == nil && len(b.out) > 0 {
			_, err = p.s.w.Write(b.out)
		}
		p.mu.Lock()
		p.err = err
		p.report.merge(&b.report)
		p.mu.Unlock()
		select {
		case p.outputs <- b.out:
		default:
		}
		p.release(b.from)
		p.pending.Done()
	}
}

// wait waits until all batches are written, and adds their report to the
// stream's.
func (p *pool) wait() error {
	p.pending.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.s.out.report.merge(&p.report)
	p.report = Report{}
	return p.err
}
