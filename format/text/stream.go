package text

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

func newStream(ctx context.Context, cfg *Config, stats *Stats, file string, w io.Writer) *stream {
	s := &stream{cfg: cfg, stats: stats, file: file, ctx: ctx, w: w}
	builds := choose.Config{Dictionaries: cfg.Dictionaries, Parse: parseFormat, Sources: cfg.showsSource(), Known: cfg.Known}
	s.judge = choose.NewJudge(builds, cfg.Force)
	s.out = newRenderer(cfg, file)
	s.out.use(s.judge.Dictionary())
	return s
}

// stream is one file on its way through the decoder.
type stream struct {
	cfg   *Config
	stats *Stats
	file  string
	ctx   context.Context
	w     io.Writer

	buf   []byte // what was read and not yet consumed
	base  int64  // offset of buf in the file
	begin int64  // where the reading began
	track track
	clock clock.Clock // places logs as they come, without places
	// places are those of all logs, by offset, where the file was read before.
	places map[int64]clock.Place
	survey *survey // takes the logs in place of the output
	out    renderer
	judge  *choose.Judge
	block  *block // that buf lies in, with several goroutines

	rows    *rows           // set where the file holds JSON of an earlier run
	ended   bool            // nothing follows buf
	reloads int             // of the dictionaries
	damage  *format.Decoder // reads damaged input, where there is some
	fed     int             // how much of buf it has been given
	search  search          // for the next good log
}

// reload has other dictionaries used. What was made of the old is dropped.
func (s *stream) reload(dicts []Dictionary) {
	s.judge.Reload(dicts)
	s.out.forget(s.stats)
	s.out.use(s.judge.Dictionary())
	s.reloads++
}

// place returns where a sound log lies in time.
func (s *stream) place(l format.Log, offset int64) clock.Place {
	if p, ok := s.places[offset]; ok {
		return p
	}
	p, notes := s.clock.Next(clock.NewBuffer(l))
	for _, n := range notes {
		s.out.report.note(noteOf(n, s.track.logs, offset))
	}
	return p
}

// ready reports whether the logs that the buffer begins with may be written.
// Where the file is refused, all that may be is written before.
func (s *stream) ready(p *pool, next func([]byte) (choose.Records, int, error)) (bool, error) {
	if s.survey != nil {
		return true, nil
	}
	ok, err := s.judge.Ready(s.buf, s.ended, next)
	if err != nil {
		return false, errors.Join(s.flush(p), err)
	}
	return ok, nil
}

// run reads, decodes and writes until the end of r.
func (s *stream) run(r io.Reader) error {
	if s.begin == 0 {
		r = &rowSource{r: r}
	}

	var block []byte
	var pool *pool
	if s.cfg.Parallel == 1 {
		block = make([]byte, 0, lenBuffer)
	} else {
		pool = newPool(s)
		defer pool.close()
		s.block = pool.block(nil, nil)
		block = s.block.buf
	}

	for {
		if len(block) == cap(block) { // only damaged input keeps that much
			block = append(block, make([]byte, lenBuffer)...)[:len(block)]
		}

		n, err := r.Read(block[len(block):cap(block)])
		block = block[:len(block)+n]
		if s.cfg.Reload != nil {
			if dicts := s.cfg.Reload(); dicts != nil {
				s.reload(dicts)
			}
		}

		s.buf = block
		if s.base == 0 && s.begin == 0 && s.rows == nil && len(block) > 0 && block[0] == '{' {
			s.rows = &rows{}
		}
		s.ended = err != nil || s.ctx.Err() != nil
		// What is half there when the reading is interrupted is not damaged.
		eof := errors.Is(err, io.EOF) && s.ctx.Err() == nil
		if err := s.consume(pool, eof); err != nil {
			return err
		}
		if s.ctx.Err() != nil && s.damage != nil {
			s.consumeDamaged(true) // what was held back for more
		}
		if c, ok := r.(changer); ok && !eof {
			if change, ok := c.changed(); ok {
				if err := s.restart(pool, change); err != nil {
					return err
				}
			}
		}

		switch {
		case eof:
			return s.flush(pool)
		case s.ctx.Err() != nil:
			s.out.report.Held += int64(len(s.buf))
			return errors.Join(s.flush(pool), s.ctx.Err())
		case err != nil:
			return errors.Join(s.flush(pool), err)
		}

		if used := cap(block) - cap(s.buf); pool != nil && used > 0 {
			// The workers read from the block: go on in another.
			s.block = pool.block(s.block, s.buf)
			block = s.block.buf
		} else {
			block = block[:copy(block, s.buf)]
		}
	}
}

// restart goes on with another file, or another content of the same one. What is
// left of the old one is not continued there.
func (s *stream) restart(p *pool, change string) error {
	if err := s.consume(p, true); err != nil {
		return err
	}
	s.out.report.Changes = append(s.out.report.Changes, change)
	if n := len(s.out.report.Changes); n > maxListed {
		s.out.report.Changes = s.out.report.Changes[1:]
	}
	s.buf = s.buf[len(s.buf):]
	s.base, s.begin, s.rows, s.damage, s.search, s.fed = 0, 0, nil, nil, search{}, 0
	return nil
}

// flush writes what is rendered.
func (s *stream) flush(p *pool) error {
	if p != nil {
		if err := p.wait(); err != nil {
			return err
		}
	}
	return s.write()
}

func (s *stream) write() error {
	if len(s.out.buf) == 0 {
		return nil
	}
	_, err := s.w.Write(s.out.buf)
	s.out.buf = s.out.buf[:0]
	return err
}

// consume decodes what is whole in s.buf and leaves the rest there.
func (s *stream) consume(p *pool, eof bool) error {
	if s.rows != nil {
		return s.consumeRows(eof)
	}

	for len(s.buf) > 0 {
		if s.damage == nil {
			if ok, err := s.ready(p, choose.NextLog); err != nil {
				return err
			} else if !ok {
				break
			}

			n, err := s.consumeGood(p)
			if err != nil {
				return err
			}
			if n > 0 {
				continue
			}

			l, _, err := format.ParseLog(s.buf)
			if errors.Is(err, format.ErrShort) && !eof {
				break
			}
			if err == nil {
				err = format.CheckLog(l.Bytes())
			}
			if s.base == 0 && errors.Is(err, format.ErrVersion) {
				if len(s.buf) < lenDumpStart && !eof {
					break
				}
				if isDump(s.buf) {
					err = errCrashDump
				}
			}
			s.enterDamage(err)
		}

		if p != nil {
			if err := p.wait(); err != nil { // its output comes first
				return err
			}
		}

		if !s.consumeDamaged(eof) {
			break
		}
		if err := s.write(); err != nil {
			return err
		}
	}
	return s.write()
}

// advance consumes n bytes of s.buf.
func (s *stream) advance(n int) {
	s.buf = s.buf[n:]
	s.base += int64(n)
	s.out.report.Bytes += int64(n)
}

// consumeGood renders the good logs that s.buf begins with and tells how many
// bytes they have.
func (s *stream) consumeGood(p *pool) (int, error) {
	if p != nil && s.survey == nil {
		n, err := p.submit(s)
		s.advance(n)
		return n, err
	}

	n := 0
	for {
		l, rest, err := format.ParseLog(s.buf[n:])
		if err != nil || !choose.Sound(l) {
			break
		}
		if s.survey != nil {
			s.survey.add(l, s.base+int64(n), &s.track)
			n = len(s.buf) - len(rest)
			continue
		}

		s.out.use(s.judge.Of(choose.RecordsOf(l)))
		s.out.log(l, s.base+int64(n), &s.track, s.place(l, s.base+int64(n)))
		n = len(s.buf) - len(rest)
		if len(s.out.buf) >= lenOutput {
			if err := s.write(); err != nil {
				return n, err
			}
		}
	}

	s.advance(n)
	return n, nil
}

// lenDumpStart is how many bytes tell a crash dump: its header and the
// signature of CrashCatcher.
const lenDumpStart = format.CoreDumpHeaderSize + 4

// isDump reports whether a file that begins with b is a crash dump.
//
// Source: FORMAT section 3.
func isDump(b []byte) bool {
	h, rest, err := format.ParseCoreDumpHeader(b)
	return err == nil && h.Version() == 1 && bytes.HasPrefix(rest, []byte("cC\x03\x00"))
}
