package text

import (
	"cmp"
	"iter"
	"regexp"
	"strings"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
)

// Dictionary tells what the addresses in records stand for. The dictionaries of
// package dict are such. Its type must be comparable, as a pointer is. If it has a
// method String, errors name it by that.
type Dictionary = choose.Dictionary

// Builds returns dictionaries to choose from, as a Decoder chooses.
func Builds(dicts []Dictionary) *choose.Builds {
	return choose.New(choose.Config{Dictionaries: dicts, Parse: parseFormat})
}

func parseFormat(printf string) choose.Format { return ParseTemplate(printf) }

// statement is what is known about one format address: one log statement of the
// firmware, as good as.
type statement struct {
	addr     uint32
	template *Template // nil if the dictionary has no string there
	source   string    // "file:line", or empty
	grep     verdict   // of the pattern on the text, whatever the arguments
	grepNone verdict   // of the pattern on the text without arguments
	keys     []byte    // as JSON, once they were asked for
	tally    tally
	overlaid []*statement // others at this address, of overlays
}

// verdict is what a pattern says before the text is rendered.
type verdict uint8

const (
	unknown verdict = iota
	always
	never
)

// Most addresses are found in a small table of the last ones seen, which costs
// less than a map; the map has the rest. Foreign input can hold any number of
// addresses, so there is an end to that as well.
const (
	lenRecent     = 1 << 10
	maxStatements = 1 << 16
)

// statements finds the statement of an address.
type statements struct {
	dict   Dictionary // or nil
	filter *Filter
	source bool // look for source lines
	recent [lenRecent]*statement
	all    map[uint32]*statement
	others tally // of addresses beyond maxStatements
}

func newStatements(d Dictionary, f *Filter, source bool) *statements {
	return &statements{dict: d, filter: f, source: source, all: map[uint32]*statement{}}
}

// at returns the statement at addr.
func (s *statements) at(addr uint32) *statement {
	slot := &s.recent[addr*0x9e3779b1>>22]
	if st := *slot; st != nil && st.addr == addr {
		return st
	}
	st := s.all[addr]
	if st == nil {
		st = s.read(addr)
		if len(s.all) >= maxStatements {
			s.forget()
		}
		s.all[addr] = st
	}
	*slot = st
	return st
}

// read reads the statement at an address from the dictionary; an address that is not
// there gives one without a template.
func (s *statements) read(addr uint32) *statement {
	st := &statement{addr: addr}
	if s.dict == nil {
		return st
	}
	printf, ok := s.dict.Format(addr)
	if !ok {
		return st
	}
	st.template = ParseTemplate(printf)
	if s.source {
		if file, line, ok := s.dict.Source(addr); ok {
			st.source = string(appendDecimal(append([]byte(file), ':'), int64(line)))
		}
	}

	if over, ok := s.dict.(choose.Overlaid); ok {
		for _, printf := range over.Overlays(addr) {
			st.overlaid = append(st.overlaid, &statement{addr: addr, template: ParseTemplate(printf), source: st.source})
		}
	}

	if re := s.filter.Grep; re != nil && st.overlaid == nil {
		st.grep, st.grepNone = st.template.match(re)
	}
	return st
}

// of returns the statement that a record is of where overlays have several, the first
// whose format it fits, and those that it fits as well.
func (st *statement) of(p format.Payload) (first *statement, others []*statement) {
	for _, s := range append([]*statement{st}, st.overlaid...) {
		switch {
		case !s.template.Fits(p):
		case first == nil:
			first = s
		default:
			others = append(others, s)
		}
	}
	return cmp.Or(first, st), others
}

// everything iterates over all statements, those of overlays included.
func (s *statements) everything() iter.Seq2[uint32, *statement] {
	return func(yield func(uint32, *statement) bool) {
		for addr, st := range s.all {
			for _, one := range append([]*statement{st}, st.overlaid...) {
				if !yield(addr, one) {
					return
				}
			}
		}
	}
}

// forget makes room, keeping only the sums of the statistics.
func (s *statements) forget() {
	for _, st := range s.everything() {
		s.others.add(&st.tally)
	}
	clear(s.all)
	s.recent = [lenRecent]*statement{}
}

// match tells what re says about all texts of the template, and about its text
// without arguments. A pattern that is plain text is found in the plain parts
// of the format; the text of a format without conversions is known.
func (t *Template) match(re *regexp.Regexp) (any, none verdict) {
	// An anchored pattern, as in ^a$, also counts as a literal for regexp.
	if literal, _ := re.LiteralPrefix(); regexp.QuoteMeta(literal) == re.String() {
		for i := range t.convs {
			if strings.Contains(t.convs[i].lead, literal) {
				return always, always
			}
		}
		if strings.Contains(t.tail, literal) {
			return always, always
		}
	}
	if text, ok := t.Literal(); ok {
		if re.MatchString(text) {
			return unknown, always
		}
		return unknown, never
	}
	return unknown, unknown
}

// tally counts the records of a statement.
type tally struct {
	records int64
	bytes   int64 // of the frames
	level   [8]int64
	module  [32]int64 // bytes
}

func (t *tally) count(level format.Level, module uint8, bytes int) {
	t.records++
	t.bytes += int64(bytes)
	t.level[level&7]++
	t.module[module&31] += int64(bytes)
}

func (t *tally) add(other *tally) {
	t.records += other.records
	t.bytes += other.bytes
	for i, n := range other.level {
		t.level[i] += n
	}
	for i, n := range other.module {
		t.module[i] += n
	}
}
