package text

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ulogkit/ulogkit/format"
)

// A file is judged by its first records that are in good logs.
const (
	lenJudged    = 1 << 16 // bytes of these logs
	lenUndecided = 1 << 12 // bytes of logs that wait for one that tells builds apart
	maxAddrs     = 4096    // different addresses
)

// judge chooses the dictionary of each log, and refuses a file that none fits.
// What it decides depends on the logs alone, not on how they were read: logs
// wait in the stream's buffer as long as those after them may decide.
type judge struct {
	cfg        *Config
	candidates []*candidate
	current    *candidate // of the last log that was written, at first the best; nil without candidates
	sure       *candidate // of the last log that no other fits as well
	written    bool       // logs have been
	ambiguous  int64      // records of these that others which fit as well read differently

	heard    int                // bytes of logs that were taken as evidence
	waiting  int                // of these, bytes that are not written
	last     *candidate         // of the last log that was heard
	chosen   bool               // the logs heard are of current rather than of another
	differ   bool               // until then: candidates that fit equally well read a record differently
	evidence map[uint32]finding // by address
	grades   [gradeBad + 1]int  // of the evidence

	best     []*candidate // that choose returned last
	compared []*candidate // candidates that differs compared last
	differed map[key]bool // what it found
}

// candidate is a dictionary on trial.
type candidate struct {
	dict      Dictionary
	templates map[uint32]finding
	total     int // what the logs heard say against it, until one is chosen
}

// finding is what an address tells about a dictionary.
type finding struct {
	grade    grade
	reason   string
	template *Template
}

type grade uint8

const (
	gradeGood   grade = iota
	gradeInside       // a string that begins before the address
	gradeBad
)

func newJudge(cfg *Config) *judge {
	j := &judge{cfg: cfg, differed: map[key]bool{}}
	for _, d := range cfg.Dictionaries {
		j.candidates = append(j.candidates, &candidate{dict: d, templates: map[uint32]finding{}})
	}
	j.begin()
	return j
}

// begin hears the file from its first log on.
func (j *judge) begin() {
	j.heard, j.waiting, j.differ, j.chosen = 0, 0, false, len(j.candidates) < 2
	j.evidence, j.grades = map[uint32]finding{}, [gradeBad + 1]int{}
	for _, c := range j.candidates {
		c.total = 0
	}
	if len(j.candidates) == 0 {
		return
	}
	j.current, j.last = j.candidates[0], j.candidates[0]
	if j.chosen {
		j.sure = j.current
	}
}

// reload has these dictionaries compete, and the one that the device was last
// known to run, since it runs that until it is updated. What fits several is
// taken for the one at hand or, where that has been replaced, for the new one.
// Once logs have been written the file is refused no more.
func (j *judge) reload(dicts []Dictionary) {
	old := j.candidates
	j.candidates = nil
	newest := j.current
	for _, d := range dicts {
		if i := slices.IndexFunc(old, func(c *candidate) bool { return c.dict == d }); i >= 0 {
			j.candidates = append(j.candidates, old[i])
			continue
		}
		newest = &candidate{dict: d, templates: map[uint32]finding{}}
		j.candidates = append(j.candidates, newest)
	}
	known := cmp.Or(j.sure, j.current)
	if !slices.Contains(j.candidates, j.current) {
		j.current = newest
	}
	if known != nil && !slices.Contains(j.candidates, known) {
		j.candidates = append(j.candidates, known)
	}
	if !j.written {
		j.begin()
		return
	}
	j.heard, j.waiting = lenJudged, 0
}

// dictionary returns that of the last log, or nil without one.
func (j *judge) dictionary() Dictionary {
	if j.current == nil {
		return nil
	}
	return j.current.dict
}

// of returns the dictionary of the next log to be written.
func (j *judge) of(log records) Dictionary {
	j.written = true
	switch {
	case len(j.candidates) > 1:
		best := j.choose(log, j.current)
		j.current = best[0]
		if len(best) == 1 {
			j.sure = j.current
		}
		for p, ok := log.next(); ok && len(best) > 1; p, ok = log.next() {
			if j.differs(p, best) {
				j.ambiguous++
			}
		}
	case len(j.candidates) == 1:
		j.sure = j.current
	}
	return j.dictionary()
}

// knows reports whether a dictionary has a string at addr.
func (j *judge) knows(addr uint32) bool {
	return slices.ContainsFunc(j.candidates, func(c *candidate) bool { _, ok := c.dict.Format(addr); return ok })
}

// ready reports whether the logs that b begins with may be written, or returns
// why no dictionary is theirs. next returns the records of the next log and its
// size; last says that nothing comes after b.
func (j *judge) ready(b []byte, last bool, next func([]byte) (records, int, error)) (bool, error) {
	for len(j.candidates) > 0 && j.heard < lenJudged && !j.hopeless() {
		log, n, err := next(b[j.waiting:])
		if err == nil {
			j.heard += n
			j.waiting += n
			j.hear(log)
			continue
		}
		if errors.Is(err, format.ErrShort) && !last && (j.differ && !j.chosen || !j.fits()) {
			return false, nil // what comes may decide
		}
		break
	}
	if j.waiting > 0 && !j.fits() {
		return false, j.verdict()
	}
	j.waiting = 0
	return true, nil
}

// records are those of a log that can be read, or the one of a row. A copy
// begins at the first again.
type records struct {
	frames format.Frames
	row    []byte // payload
}

func recordsOf(l format.Log) records { return records{frames: l.Frames()} }

func (r *records) next() (p format.Payload, ok bool) {
	for r.frames.Next() {
		if p, err := format.ParsePayload(r.frames.Frame().Payload); err == nil {
			return p, true
		}
	}
	p, err := format.ParsePayload(r.row)
	r.row = nil
	return p, err == nil
}

// nextLog returns the good log that b begins with.
func nextLog(b []byte) (records, int, error) {
	l, rest, err := format.ParseLog(b)
	if err == nil && l.VerifyFrames() != nil {
		err = format.ErrLength // of a frame, which more bytes do not mend
	}
	return recordsOf(l), len(b) - len(rest), err
}

// hear takes a log as evidence.
func (j *judge) hear(log records) {
	if !j.chosen {
		j.poll(log)
	}
	j.last = j.choose(log, j.last)[0]
	for p, ok := log.next(); ok; p, ok = log.next() {
		j.note(j.last, p)
	}
}

// poll chooses the candidate that the logs heard say least against, if it is one
// or they have been enough.
func (j *judge) poll(log records) {
	least := math.MaxInt
	for _, c := range j.candidates {
		c.total += c.against(log, math.MaxInt)
		least = min(least, c.total)
	}
	var best []*candidate
	for _, c := range j.candidates {
		if c.total == least {
			best = append(best, c)
		}
	}
	j.current, j.last = best[0], best[0]
	j.chosen = len(best) == 1 || j.heard > lenUndecided
	for p, ok := log.next(); ok && !j.differ; p, ok = log.next() {
		j.differ = j.differs(p, best)
	}
}

// differs reports whether candidates, the same ones for many records, read one
// differently.
func (j *judge) differs(p format.Payload, best []*candidate) bool {
	if !slices.Equal(j.compared, best) {
		j.compared = append(j.compared[:0], best...)
		clear(j.differed)
	}
	of := key{p.FmtAddr(), p.Module()}
	differs, ok := j.differed[of]
	if !ok {
		if len(j.differed) >= maxAddrs {
			clear(j.differed)
		}
		first := j.look(best[0], p)
		differs = slices.ContainsFunc(best[1:], func(c *candidate) bool { return j.look(c, p) != first })
		j.differed[of] = differs
	}
	return differs
}

// key is what a dictionary is asked for.
type key struct {
	addr   uint32
	module uint8
}

// sight is what a dictionary adds to a record.
type sight struct {
	format, module, file string
	line                 int
}

func (j *judge) look(c *candidate, p format.Payload) (s sight) {
	s.format, _ = c.dict.Format(p.FmtAddr())
	s.module, _ = c.dict.Module(p.Module())
	if j.cfg.showsSource() {
		s.file, s.line, _ = c.dict.Source(p.FmtAddr())
	}
	return s
}

// choose returns the candidates that a log says least against. c, that of the
// log before, comes first if it is one of them.
func (j *judge) choose(log records, c *candidate) []*candidate {
	least := c.against(log, math.MaxInt)
	j.best = append(j.best[:0], c)
	for _, other := range j.candidates {
		if other == c {
			continue
		}
		n := other.against(log, least+1)
		if n < least {
			least = n
			j.best = j.best[:0]
		}
		if n == least {
			j.best = append(j.best, other)
		}
	}
	return j.best
}

// against sums up what a log says against a candidate, up to a limit.
func (c *candidate) against(log records, limit int) int {
	n := 0
	for p, ok := log.next(); ok; p, ok = log.next() {
		if n += int(c.grade(p)); n >= limit {
			break
		}
	}
	return n
}

// grade tells how well a record fits.
func (c *candidate) grade(p format.Payload) grade {
	f := c.find(p.FmtAddr())
	if f.template != nil && !f.template.Fits(p) {
		return gradeBad
	}
	return f.grade
}

// find looks an address up.
func (c *candidate) find(addr uint32) finding {
	f, ok := c.templates[addr]
	if ok {
		return f
	}
	if len(c.templates) >= maxAddrs {
		clear(c.templates)
	}
	printf, ok := c.dict.Format(addr)
	switch {
	case !ok:
		f = finding{grade: gradeBad, reason: "no string is there"}
	case printf == "" || !c.dict.Begins(addr):
		f = finding{grade: gradeInside, reason: fmt.Sprintf("%.60q is the end of a longer string", printf), template: Parse(printf)}
	default:
		f = finding{template: Parse(printf)}
	}
	c.templates[addr] = f
	return f
}
