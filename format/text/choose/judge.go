package choose

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/ulogkit/ulogkit/format"
)

// A file is judged by its first records that are in good logs.
const (
	lenJudged    = 1 << 16 // bytes of these logs
	lenUndecided = 1 << 12 // bytes of logs that wait for one that tells builds apart
)

// Judge chooses the dictionary of each log of a file, and refuses a file that none
// fits. What it decides depends on the logs alone, not on how they were read: logs
// wait in the reader's buffer as long as those after them may decide.
type Judge struct {
	builds
	force     bool
	current   *candidate // of the last log that was written, at first the best; nil without candidates
	sure      *candidate // of the last log that no other fits as well
	written   bool       // logs have been
	ambiguous int64      // records of these that others which fit as well read differently
	tied      []string   // names of the builds that do

	heard    int        // bytes of logs that were taken as evidence
	waiting  int        // of these, bytes that are not written
	last     *candidate // of the last log that was heard
	chosen   bool       // the logs heard are of current rather than of another
	differ   bool       // until then: candidates that fit equally well read a record differently
	evidence evidence
}

// NewJudge returns the judge of one file. With force it refuses none.
func NewJudge(cfg Config, force bool) *Judge {
	j := &Judge{force: force}
	j.init(cfg)
	j.begin()
	return j
}

// begin hears the file from its first log on.
func (j *Judge) begin() {
	j.heard, j.waiting, j.differ, j.chosen = 0, 0, false, len(j.candidates) < 2
	j.evidence = newEvidence()
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

// Reload has these dictionaries compete, and the one that the device was last
// known to run, since it runs that until it is updated. What fits several is
// taken for the one at hand or, where that has been replaced, for the new one.
// Once logs have been written the file is refused no more.
func (j *Judge) Reload(dicts []Dictionary) {
	old := j.candidates
	j.candidates = nil
	newest := j.current
	for _, d := range dicts {
		if i := slices.IndexFunc(old, func(c *candidate) bool { return c.dict == d }); i >= 0 {
			j.candidates = append(j.candidates, old[i])
			continue
		}
		newest = newCandidate(d)
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

// Dictionary returns that of the last log, or nil without one.
func (j *Judge) Dictionary() Dictionary {
	if j.current == nil {
		return nil
	}
	return j.current.dict
}

// Of returns the dictionary of the next log to be written.
func (j *Judge) Of(log Records) Dictionary {
	j.written = true
	switch {
	case len(j.candidates) > 1:
		best := j.choose(log, j.current)
		j.current = best[0]
		if len(best) == 1 {
			j.sure = j.current
		}
		var n int64
		n, j.tied = j.disputed(log, best, j.tied)
		j.ambiguous += n
	case len(j.candidates) == 1:
		j.sure = j.current
	}
	return j.Dictionary()
}

// Ambiguous returns how many records of the logs written another dictionary that
// fits their log as well reads differently.
func (j *Judge) Ambiguous() int64 { return j.ambiguous }

// Tied names the builds that read these records differently, no more than ten.
func (j *Judge) Tied() []string { return j.tied }

// Knows reports whether a dictionary has a string at addr; without dictionaries
// nothing is known.
func (j *Judge) Knows(addr uint32) bool {
	return slices.ContainsFunc(j.candidates, func(c *candidate) bool { _, ok := c.dict.Format(addr); return ok })
}

// Empty reports whether there are no dictionaries.
func (j *Judge) Empty() bool { return len(j.candidates) == 0 }

// Ready reports whether the logs that b begins with may be written, or returns
// why no dictionary is theirs. next returns the records of the next log and its
// size; last says that nothing comes after b.
func (j *Judge) Ready(b []byte, last bool, next func([]byte) (Records, int, error)) (bool, error) {
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
		return false, j.evidence.verdict()
	}
	j.waiting = 0
	return true, nil
}

// fits reports whether the evidence allows to write the file.
func (j *Judge) fits() bool { return j.force || j.evidence.fits() }

// hopeless reports whether more evidence will hardly change the verdict.
func (j *Judge) hopeless() bool { return !j.force && j.evidence.hopeless() }

// hear takes a log as evidence.
func (j *Judge) hear(log Records) {
	if issued := j.issued(log); issued != nil && !j.chosen {
		j.current, j.chosen = issued, true
	}
	if !j.chosen {
		j.poll(log)
	}
	j.last = j.choose(log, j.last)[0]
	for p, ok := log.next(); ok; p, ok = log.next() {
		j.evidence.note(&j.builds, j.last, p)
	}
}

// poll chooses the candidate that the logs heard say least against, if it is one
// or they have been enough.
func (j *Judge) poll(log Records) {
	least := math.MaxInt
	for _, c := range j.candidates {
		c.total += j.against(c, log, math.MaxInt)
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
		j.differ = len(j.differs(p, best)) > 0
	}
}
