package text

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ulogkit/ulogkit/format/text/choose"
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
