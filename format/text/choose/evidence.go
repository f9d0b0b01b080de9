package choose

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

const maxEvidence = 5 // addresses that an error lists

// ErrWrongDictionary means that records are not those of the dictionary's
// firmware.
var ErrWrongDictionary = errors.New("the firmware file is not the one of this log")

// WrongDictionaryError says why no dictionary is that of a file or log. It unwraps
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

// evidence is what records say about the candidates of their logs.
type evidence struct {
	addrs  map[uint32]finding
	grades [gradeBad + 1]int
}

func newEvidence() evidence { return evidence{addrs: map[uint32]finding{}} }

// note takes a record as evidence about the candidate of its log. One that does
// not fit speaks against its address, whatever others do.
func (e *evidence) note(b *builds, c *candidate, p format.Payload) {
	addr := p.FmtAddr()
	before, seen := e.addrs[addr]
	if !seen && len(e.addrs) >= maxAddrs {
		return
	}
	f := b.find(c, addr)
	if g := b.grade(c, p); g > f.grade {
		f.grade = g
		f.reason = fmt.Sprintf("%.60q does not take %s", f.printf, typesOf(p))
	}

	if seen {
		if f.grade <= before.grade {
			return
		}
		e.grades[before.grade]--
	}

	if f.grade != gradeGood && len(b.candidates) > 1 {
		f.reason += ", in " + b.name(c)
	}
	e.grades[f.grade]++
	e.addrs[addr] = f
}

// name tells a candidate from others.
func (b *builds) name(c *candidate) string {
	if d, ok := c.dict.(fmt.Stringer); ok && d.String() != "" {
		return d.String()
	}
	return fmt.Sprintf("firmware %d of %d", slices.Index(b.candidates, c)+1, len(b.candidates))
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
func (e *evidence) against() int { return e.grades[gradeBad] + e.grades[gradeInside] }

// fits reports whether the evidence allows to use the dictionaries. The right
// dictionary has nothing against it but what damage leaves undetected, and the
// ends of strings that its code refers to in a way we do not recognise. One of
// another build agrees up to the first string that has changed.
func (e *evidence) fits() bool {
	n := len(e.addrs)
	return 10*e.grades[gradeBad] <= n && (e.against() < 2 || 4*e.against() <= n)
}

// hopeless reports whether more evidence will hardly change the verdict.
func (e *evidence) hopeless() bool {
	return !e.fits() && e.against() >= maxEvidence && 2*e.against() >= len(e.addrs)
}

// verdict returns why the records are refused.
func (e *evidence) verdict() error {
	wrong := &WrongDictionaryError{Addresses: len(e.addrs), Bad: e.grades[gradeBad], Inside: e.grades[gradeInside]}
	var against []uint32
	for addr, f := range e.addrs {
		if f.grade != gradeGood {
			against = append(against, addr)
		}
	}
	slices.SortFunc(against, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(e.addrs[b].grade, e.addrs[a].grade), cmp.Compare(a, b))
	})
	for _, addr := range against[:min(len(against), maxEvidence)] {
		wrong.Evidence = append(wrong.Evidence, fmt.Sprintf("0x%08x: %s", addr, e.addrs[addr].reason))
	}
	return wrong
}
