package text

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

// A file is judged by its first records that are in good logs.
const (
	lenJudged    = 1 << 16 // bytes of these logs
	lenUndecided = 1 << 12 // bytes of logs that wait for one that tells builds apart
	maxAddrs     = 4096    // different addresses
	maxEvidence  = 5       // addresses that an error lists
)

// WrongDictionaryError says why a dictionary is not that of a file. It unwraps
// to [ErrWrongDictionary].
type WrongDictionaryError struct {
	Addresses int // different format addresses that were looked at
	Bad       int // of these, where no string is, or one that takes other arguments
	Inside    int // where a string does not begin, though one is there
	Evidence  []string
}

// Error implements error.
func (e *WrongDictionaryError) Error() string {
	s := fmt.Sprintf("%v: of %d format addresses in its first records %d have no string that fits, %d lie inside of one",
		ErrWrongDictionary, e.Addresses, e.Bad, e.Inside)
	return s + ":\n  " + strings.Join(e.Evidence, "\n  ")
}

// Unwrap returns ErrWrongDictionary.
func (e *WrongDictionaryError) Unwrap() error { return ErrWrongDictionary }

// judge chooses the dictionary of each log, and refuses a file that none fits.
// What it decides depends on the logs alone, not on how they were read: logs
// wait in the stream's buffer as long as those after them may decide.
type judge struct {
	cfg        *Config
	candidates []*candidate
	current    *candidate // of the last log that was written, at first the best; nil without candidates

	heard    int        // bytes of logs that were taken as evidence
	waiting  int        // of these, bytes that are not written
	last     *candidate // of the last log that was heard
	chosen   bool       // the logs heard are of current rather than of another
	differ   bool       // until then: candidates that fit equally well read a record differently
	evidence map[place]finding
	grades   [gradeBad + 1]int // of the evidence
}

// candidate is a dictionary on trial.
type candidate struct {
	dict      Dictionary
	templates map[uint32]finding
	total     int // what the logs heard say against it, until one is chosen
}

// place is an address as a candidate sees it.
type place struct {
	c    *candidate
	addr uint32
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
	j := &judge{cfg: cfg, evidence: map[place]finding{}}
	for _, d := range cfg.Dictionaries {
		j.candidates = append(j.candidates, newCandidate(d))
	}
	if len(j.candidates) > 0 {
		j.current = j.candidates[0]
		j.last = j.current
	}
	j.chosen = len(j.candidates) < 2
	return j
}

func newCandidate(d Dictionary) *candidate {
	return &candidate{dict: d, templates: map[uint32]finding{}}
}

// reload has these dictionaries compete, and the one at hand, since a device
// runs the old build until it is updated. What fits both is taken for the new
// build's. The file is refused no more.
func (j *judge) reload(dicts []Dictionary) {
	old := j.candidates
	j.candidates = nil
	newest := j.current
	for _, d := range dicts {
		i := slices.IndexFunc(old, func(c *candidate) bool { return c.dict == d })
		if i >= 0 {
			j.candidates = append(j.candidates, old[i])
			continue
		}
		newest = newCandidate(d)
		j.candidates = append(j.candidates, newest)
	}
	if j.current != nil && !slices.Contains(j.candidates, j.current) {
		j.candidates = append(j.candidates, j.current)
	}
	j.current, j.chosen = newest, true
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
	if len(j.candidates) > 1 {
		j.current = j.choose(log, j.current)
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
	j.last = j.choose(log, j.last)
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
	for p, ok := log.next(); ok; p, ok = log.next() {
		for _, c := range best[1:] {
			j.differ = j.differ || j.look(c, p) != j.look(best[0], p)
		}
	}
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

// choose returns the candidate that a log says least against: of equals c, that
// of the log before, else the first.
func (j *judge) choose(log records, c *candidate) *candidate {
	least := c.against(log, math.MaxInt)
	for _, other := range j.candidates {
		if least == 0 {
			break
		}
		if n := other.against(log, least); n < least {
			c, least = other, n
		}
	}
	return c
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

// note takes a record as evidence about the candidate of its log. One that does
// not fit speaks against its address, whatever others do.
func (j *judge) note(c *candidate, p format.Payload) {
	at := place{c, p.FmtAddr()}
	before, seen := j.evidence[at]
	if !seen && len(j.evidence) >= maxAddrs {
		return
	}
	f := c.find(at.addr)
	if g := c.grade(p); g > f.grade {
		f.grade = g
		f.reason = fmt.Sprintf("%.60q does not take %s", f.template.format, typesOf(p))
	}
	if seen {
		if f.grade <= before.grade {
			return
		}
		j.grades[before.grade]--
	}
	j.grades[f.grade]++
	j.evidence[at] = f
}

func typesOf(p format.Payload) string {
	var types []string
	args := p.Args()
	for a := range args.All() {
		types = append(types, a.Type().String())
	}
	if len(types) == 0 {
		return "no arguments"
	}
	return "the recorded " + strings.Join(types, ", ")
}

// against counts the addresses that speak against the dictionaries.
func (j *judge) against() int { return j.grades[gradeBad] + j.grades[gradeInside] }

// fits reports whether the evidence allows to write the file. The right
// dictionary has nothing against it but what damage leaves undetected, and the
// ends of strings that its code refers to in a way we do not recognise. One of
// another build agrees up to the first string that has changed.
func (j *judge) fits() bool {
	n := len(j.evidence)
	return j.cfg.Force || 10*j.grades[gradeBad] <= n && (j.against() < 2 || 4*j.against() <= n)
}

// hopeless reports whether more evidence will hardly change the verdict.
func (j *judge) hopeless() bool {
	return !j.fits() && j.against() >= maxEvidence && 2*j.against() >= len(j.evidence)
}

// verdict returns why the file is refused.
func (j *judge) verdict() error {
	e := &WrongDictionaryError{Addresses: len(j.evidence), Bad: j.grades[gradeBad], Inside: j.grades[gradeInside]}
	var against []place
	for at, f := range j.evidence {
		if f.grade != gradeGood {
			against = append(against, at)
		}
	}
	slices.SortFunc(against, func(a, b place) int {
		return cmp.Or(cmp.Compare(j.evidence[b].grade, j.evidence[a].grade), cmp.Compare(a.addr, b.addr))
	})
	for _, at := range against[:min(len(against), maxEvidence)] {
		e.Evidence = append(e.Evidence, fmt.Sprintf("0x%08x: %s", at.addr, j.evidence[at].reason))
	}
	return e
}
