package text

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// ErrWrongDictionary means that the records of a file are not those of the
// dictionary's firmware.
var ErrWrongDictionary = choose.ErrWrongDictionary

// WrongDictionaryError says why no dictionary is that of a file. It unwraps to
// [ErrWrongDictionary].
type WrongDictionaryError = choose.WrongDictionaryError

var errCrashDump = errors.New("the file is a crash dump, not a log")

// Config says what a [Decoder] writes. The zero Config writes every record as a
// line with its address and arguments.
type Config struct {
	// Dictionaries are those of the firmware versions that the logs may come
	// from. Each log is decoded with the one that fits it best; of equals, that
	// of the log before.
	// Default: none; records keep address and arguments.
	Dictionaries []Dictionary
	// Known returns the dictionary of the build that a log's session token was issued
	// for, one of Dictionaries or of what Reload gave last, or nil if that is not known:
	// the log is then decoded with it, whatever else fits. It is called for each log.
	// Default: none is known.
	Known func(token uint32) Dictionary
	// Force goes on where no dictionary fits a file.
	// Default: false; the file is refused with ErrWrongDictionary.
	Force bool
	// Filter chooses the records.
	// Default: all.
	Filter Filter
	// Line is the format of a line.
	// Default: DefaultLine without colour.
	Line *Line
	// JSON writes an object a record instead of a line.
	// Default: false.
	JSON bool
	// Embedded leaves out the key kind of JSON, and calls time record_time: for objects
	// that become part of others which have these keys.
	// Default: false.
	Embedded bool
	// Sources adds the line of code that logged a record to JSON.
	// Default: false, since the first one costs the reading of the line table.
	Sources bool
	// Quiet writes no records: for the statistics and the report alone.
	// Default: false.
	Quiet bool
	// Damaged also shows records from damaged ranges. They are plausible, not
	// proven.
	// Default: false.
	Damaged bool
	// Terminal leaves out what formats bring of their own for a terminal: colours,
	// and ends of lines at the end of a text.
	// Default: false; they are escaped.
	Terminal bool
	// Repeats also shows logs that were sent before.
	// Default: false.
	Repeats bool
	// Parallel is how many goroutines render, 1 to 64. The output is the same.
	// Default: 1.
	Parallel int
	// Reload is asked, between parts of a file, for the dictionaries that are
	// there now; nil says that these have not changed. The last one that was
	// sure to be the device's stays, since it runs that build until it is updated.
	// Default: none.
	Reload func() []Dictionary
}

func (c *Config) showsSource() bool { return c.Line.source || c.JSON && c.Sources }

// Decoder turns logs into text. It may be used for one file after the other,
// and sums up their statistics.
type Decoder struct {
	cfg   Config
	stats Stats
}

// NewDecoder checks the configuration and returns a decoder.
func NewDecoder(cfg Config) (*Decoder, error) {
	if cfg.Parallel == 0 {
		cfg.Parallel = 1
	}
	if cfg.Parallel < 1 || cfg.Parallel > 64 {
		return nil, fmt.Errorf("parallel %d: want 1 to 64", cfg.Parallel)
	}
	if f := &cfg.Filter; f.Since < 0 || f.Until < 0 || math.IsNaN(f.Since) || math.IsNaN(f.Until) || f.Until != 0 && f.Until < f.Since {
		return nil, fmt.Errorf("time from %v to %v: want seconds since boot, the first not after the last", f.Since, f.Until)
	}
	if cfg.Line == nil {
		line, err := ParseLine(DefaultLine, false)
		if err != nil {
			return nil, err
		}
		cfg.Line = line
	}
	return &Decoder{cfg: cfg}, nil
}

// Stats returns the statistics of all that was decoded so far.
func (d *Decoder) Stats() *Stats { return &d.stats }

// Sizes of the parts that a file is worked on in.
const (
	lenBuffer = 1 << 20 // holds several of the longest logs
	lenOutput = 1 << 16 // at which rendered text is written
)

// Decode decodes the logs in r, back to back, and writes them to w as r gives
// them. file is its name in the output. In place of logs r may hold the JSON of
// an earlier run, to be rendered again, with a dictionary that was missing
// then. The report tells what was lost, also where the error is not nil.
func (d *Decoder) Decode(ctx context.Context, file string, r io.Reader, w io.Writer) (Report, error) {
	s := newStream(ctx, &d.cfg, &d.stats, file, w)
	defer s.out.forget(&d.stats)
	err := s.run(r)
	s.out.report.Ambiguous, s.out.report.Tied = s.judge.Ambiguous(), s.judge.Tied()
	return s.out.report, err
}

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

// enterDamage begins a damaged range.
func (s *stream) enterDamage(reason error) {
	s.damage, s.fed = &format.Decoder{}, 0
	s.search = search{scanned: s.base + 1} // no good log begins here
	if !s.judge.Empty() {
		s.damage.ValidAddr = s.judge.Knows
	}
	if reason != nil {
		s.out.reason = reason.Error()
	}
}

// consumeDamaged reads on through damaged input, up to the next good log. It
// returns false where it needs more bytes. A good log is taken as soon as it is
// there: only the bytes before it are searched for what still makes sense, and what
// comes after it has no say in that.
func (s *stream) consumeDamaged(eof bool) bool {
	at := s.search.next(s.buf, s.base)
	limit := len(s.buf)
	switch {
	case at > 0:
		limit = at
	case !eof: // a good log may begin in what is held back
		limit = max(limit-format.MaxLog, s.fed)
	}
	feed := s.buf[s.fed:limit]
	s.fed = limit
	used := 0
	events := s.damage.Feed(feed)
	for last := eof || at > 0; ; {
		for event := range events {
			if event.Kind == format.EventLog && event.Verified {
				s.leaveDamage(used)
				return true
			}
			s.out.event(&event, s.base+int64(used), &s.track)
			used += len(event.Bytes)
		}
		if !last || used == limit {
			break
		}
		last = false
		events = s.damage.Close()
	}
	if at > 0 {
		s.leaveDamage(used)
		return true
	}
	s.advance(used)
	s.fed -= used
	return false
}

// leaveDamage ends a damaged range.
func (s *stream) leaveDamage(used int) {
	s.damage, s.search = nil, search{}
	s.advance(used)
}
