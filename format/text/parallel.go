package text

import (
	"sync"

	"github.com/ulogkit/ulogkit/format"
)

// lenBatch is how many bytes of logs a worker gets at once.
const lenBatch = 1 << 18

// batch is a stretch of good logs on its way through a worker.
type batch struct {
	logs    []byte
	offset  int64 // in the file
	track   track // where they begin
	dict    Dictionary
	changes int // that this dictionary was the result of
	out     []byte
	report  Report
	done    chan struct{}
}

// pool renders good logs by several goroutines and writes the output in order.
type pool struct {
	s       *stream
	work    chan *batch
	order   chan *batch
	ended   sync.WaitGroup // goroutines
	pending sync.WaitGroup // batches
	spare   sync.Pool      // of output buffers

	mu     sync.Mutex // over what follows
	report Report     // of the batches written
	err    error      // of writing
}

func newPool(s *stream) *pool {
	n := s.cfg.Parallel
	p := &pool{s: s, work: make(chan *batch, n), order: make(chan *batch, 2*n)}
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
	var ignored Report // the workers report what they come across
	for {
		l, rest, err := format.ParseLog(s.buf[n:])
		if err != nil || !s.track.pass(l, &ignored) {
			break
		}
		n = len(s.buf) - len(rest)
		if n-begin >= lenBatch {
			p.send(s, begin, n, at)
			begin, at = n, s.track
		}
	}
	if n > begin {
		p.send(s, begin, n, at)
	}
	return n, nil
}

// pass moves on by a log, or stays and returns false if the log is not sound.
func (t *track) pass(l format.Log, r *Report) bool {
	if l.Verify() != nil {
		return false
	}
	start := *t
	if h := l.HeaderV3(); h != nil {
		t.headerV3(h, r)
	} else {
		t.headerV1(r)
	}
	frames := l.Frames()
	for frames.Next() {
		frame := frames.Frame()
		t.frame(&frame, 0, r)
	}
	if frames.Err() != nil {
		*t = start
		return false
	}
	return true
}

func (p *pool) send(s *stream, begin, end int, at track) {
	b := &batch{logs: s.buf[begin:end:end], offset: s.base + int64(begin), track: at, dict: s.out.dict, changes: s.changes, done: make(chan struct{})}
	p.pending.Add(1)
	p.order <- b // has room for a few, which bounds the memory
	p.work <- b
}

// render is a worker.
func (p *pool) render() {
	var out renderer
	changes := -1
	for b := range p.work {
		if changes != b.changes {
			p.s.stats.addStatements(out.stmts)
			out = newRenderer(p.s.cfg, p.s.file, b.dict)
			changes = b.changes
		}
		out.report = Report{}
		if spare, ok := p.spare.Get().(*[]byte); ok {
			out.buf = (*spare)[:0]
		}
		for rest := b.logs; len(rest) > 0; {
			offset := b.offset + int64(len(b.logs)-len(rest))
			var l format.Log
			l, rest, _ = format.ParseLog(rest) // submit has looked at them
			out.log(l, offset, &b.track)
		}
		b.out, b.report = out.buf, out.report
		out.buf = nil
		close(b.done)
	}
	p.s.stats.addStatements(out.stmts)
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
		p.spare.Put(&b.out)
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
