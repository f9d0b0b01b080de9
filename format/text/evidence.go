package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

const maxEvidence = 5 // addresses that an error lists

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

// note takes a record as evidence about the candidate of its log. One that does
// not fit speaks against its address, whatever others do.
func (j *judge) note(c *candidate, p format.Payload) {
	addr := p.FmtAddr()
	before, seen := j.evidence[addr]
	if !seen && len(j.evidence) >= maxAddrs {
		return
	}
	f := c.find(addr)
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
	if f.grade != gradeGood && len(j.candidates) > 1 {
		f.reason += ", in " + j.name(c)
	}
	j.grades[f.grade]++
	j.evidence[addr] = f
}

// name tells a candidate from others.
func (j *judge) name(c *candidate) string {
	if d, ok := c.dict.(fmt.Stringer); ok && d.String() != "" {
		return d.String()
	}
	return fmt.Sprintf("firmware %d of %d", slices.Index(j.candidates, c)+1, len(j.candidates))
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
	var against []uint32
	for addr, f := range j.evidence {
		if f.grade != gradeGood {
			against = append(against, addr)
		}
	}
	slices.SortFunc(against, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(j.evidence[b].grade, j.evidence[a].grade), cmp.Compare(a, b))
	})
	for _, addr := range against[:min(len(against), maxEvidence)] {
		e.Evidence = append(e.Evidence, fmt.Sprintf("0x%08x: %s", addr, j.evidence[addr].reason))
	}
	return e
}
