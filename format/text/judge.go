package text

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

// A dictionary is judged by the first records of a file, that are in good logs.
const (
	maxJudged   = 10_000 // records
	maxAddrs    = 4096   // different addresses
	maxEvidence = 5      // addresses that an error lists
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

// judge chooses the dictionary of a file by its first records.
type judge struct {
	cfg     *Config
	records int
	done    bool
	files   []candidate
	// changed is set once the firmware file has changed: new and old compete
	// for each part, since the device runs the old until it is updated.
	changed bool
}

// candidate is a dictionary on trial.
type candidate struct {
	dict  Dictionary
	addrs map[uint32]finding
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
	j := &judge{cfg: cfg, done: len(cfg.Dictionaries) == 0}
	for _, d := range cfg.Dictionaries {
		j.files = append(j.files, candidate{dict: d, addrs: map[uint32]finding{}})
	}
	return j
}

// reload has a new build of the firmware compete with the one at hand.
func (j *judge) reload(next, current Dictionary) {
	j.files = []candidate{{dict: next}}
	if current != nil {
		j.files = append(j.files, candidate{dict: current})
	}
	j.changed, j.done = true, false
}

// look judges by the records in b, the next bytes of the file, and has the
// stream use the dictionary that fits best. It returns an error if none does.
func (j *judge) look(s *stream, b []byte) error {
	if j.done {
		return nil
	}
	if j.changed {
		j.records = 0
		for i := range j.files {
			j.files[i].addrs = map[uint32]finding{}
		}
	}
	before := j.records
	payloads := goodPayloads
	if s.rows != nil {
		payloads = rowPayloads
	}
	for p := range payloads(b) {
		for i := range j.files {
			j.files[i].hear(p)
		}
		if j.records++; j.records >= maxJudged {
			j.done = !j.changed
			break
		}
	}
	if j.records == before && s.out.dict != nil {
		return nil
	}
	best := slices.MinFunc(j.files, func(a, b candidate) int { return a.bad() - b.bad() })
	if err := best.verdict(); err != nil && !j.cfg.Force && !j.changed {
		return err
	}
	if s.out.dict != best.dict {
		s.use(best.dict)
	}
	if j.records > 0 && !j.changed {
		// Records are written from here on: stay with the choice.
		j.files = []candidate{best}
	}
	return nil
}

// goodPayloads iterates over the records of the good logs in b.
func goodPayloads(b []byte) iter.Seq[format.Payload] {
	return func(yield func(format.Payload) bool) {
		var d format.Decoder
		for e := range d.Feed(b) {
			if e.Kind == format.EventFrame && e.Verified && !yield(e.Payload) {
				return
			}
		}
	}
}

// hear takes a record as evidence.
func (c *candidate) hear(p format.Payload) {
	addr := p.FmtAddr()
	f, seen := c.addrs[addr]
	if seen && f.grade == gradeBad || !seen && len(c.addrs) >= maxAddrs {
		return
	}
	if !seen {
		f = c.find(addr)
	}
	if f.template != nil && !f.template.Fits(p) {
		f.grade = gradeBad
		f.reason = fmt.Sprintf("%.60q does not take %s", f.template.format, typesOf(p))
	}
	if !seen || f.grade == gradeBad {
		c.addrs[addr] = f
	}
}

// find looks an address up.
func (c *candidate) find(addr uint32) finding {
	printf, ok := c.dict.Format(addr)
	if !ok {
		return finding{grade: gradeBad, reason: "no string is there"}
	}
	f := finding{template: Parse(printf)}
	if printf == "" || !c.dict.Begins(addr) {
		f.grade = gradeInside
		f.reason = fmt.Sprintf("%.60q is the end of a longer string", printf)
	}
	return f
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

// bad counts the addresses against the dictionary.
func (c *candidate) bad() int {
	n := 0
	for _, f := range c.addrs {
		n += int(f.grade)
	}
	return n
}

// verdict returns why the dictionary is the wrong one, or nil. The right one
// has nothing against it but what damage leaves undetected, and the ends of
// strings that its code refers to in a way we do not recognise. One of another
// build agrees up to the first string that has changed.
func (c *candidate) verdict() error {
	e := &WrongDictionaryError{Addresses: len(c.addrs)}
	var against []uint32
	for addr, f := range c.addrs {
		switch f.grade {
		case gradeGood:
			continue
		case gradeBad:
			e.Bad++
		case gradeInside:
			e.Inside++
		}
		against = append(against, addr)
	}
	if 10*e.Bad <= e.Addresses && (e.Bad+e.Inside < 2 || 4*(e.Bad+e.Inside) <= e.Addresses) {
		return nil
	}
	slices.SortFunc(against, func(a, b uint32) int {
		if d := int(c.addrs[b].grade) - int(c.addrs[a].grade); d != 0 {
			return d
		}
		return int(int64(a) - int64(b))
	})
	for _, addr := range against[:min(len(against), maxEvidence)] {
		e.Evidence = append(e.Evidence, fmt.Sprintf("0x%08x: %s", addr, c.addrs[addr].reason))
	}
	return e
}
