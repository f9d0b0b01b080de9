package choose

import (
	"fmt"
	"math"
	"slices"

	"github.com/ulogkit/ulogkit/format"
)

// Dictionary tells what the addresses in records stand for. The dictionaries of
// package dict are such. Its type must be comparable, as a pointer is. If it has a
// method String, errors name it by that.
type Dictionary interface {
	// Format returns the format string at an address of the firmware.
	Format(addr uint32) (text string, ok bool)
	// Begins reports whether a string begins there, rather than before.
	Begins(addr uint32) bool
	// Module returns the name of a module.
	Module(n uint8) (name string, ok bool)
	// Source returns the one line of code that logs the string.
	Source(addr uint32) (file string, line int, ok bool)
}

// Overlaid is implemented by a Dictionary that can have several strings at an
// address, of sections that take turns in the same memory.
type Overlaid interface {
	// Overlays returns the strings at an address besides that of Format, which begin
	// there no less.
	Overlays(addr uint32) []string
}

// Format is a format string that has been parsed.
type Format interface {
	// Fits reports whether a call with the format could have been recorded as p.
	Fits(p format.Payload) bool
}

// Config says what there is to choose from.
type Config struct {
	// Dictionaries are those of the builds that logs may come from.
	// Default: none.
	Dictionaries []Dictionary
	// Parse parses the format strings. Default: none, required.
	Parse func(printf string) Format
	// Sources says that two builds which differ in a line of code alone read a
	// record differently. Default: false.
	Sources bool
	// Known returns the dictionary of the build that a session token was issued for,
	// one of those to choose from, or nil if that is not known. A log with such a
	// token is of that build, whatever else fits it. Default: none is known.
	Known func(token uint32) Dictionary
}

const (
	maxAddrs = 4096 // different addresses that are remembered
	maxTied  = 10   // builds that are named
)

// Builds are the dictionaries that logs may be of, and what was found out about
// them. They are not safe for concurrent use.
type Builds struct{ builds }

// builds compare what records say against dictionaries.
type builds struct {
	candidates []*candidate
	parse      func(string) Format
	sources    bool
	known      func(token uint32) Dictionary

	best     []*candidate         // that choose returned last
	compared []*candidate         // candidates that differs compared last
	differed map[key][]*candidate // what it found
}

// New returns the builds to choose from.
func New(cfg Config) *Builds {
	b := &Builds{}
	b.init(cfg)
	return b
}

func (b *builds) init(cfg Config) {
	b.parse, b.sources, b.known, b.differed = cfg.Parse, cfg.Sources, cfg.Known, map[key][]*candidate{}
	for _, d := range cfg.Dictionaries {
		b.candidates = append(b.candidates, newCandidate(d))
	}
}

// Choice is what a log alone tells about its build.
type Choice struct {
	Dictionary Dictionary
	// Ambiguous is how many records another dictionary that fits the log as well
	// reads differently.
	Ambiguous int64
	// Tied names the builds that read these records differently, Dictionary's
	// first; no more than ten.
	Tied []string
}

// Choose returns the dictionary that a log says least against. Of equals it is
// before, that of the device's log before, if it is one of them, and else the
// first. A log that none fits gives a WrongDictionaryError, which is nil without
// dictionaries; in both cases Dictionary is nil.
func (b *Builds) Choose(log Records, before Dictionary) (Choice, error) {
	if len(b.candidates) == 0 {
		return Choice{}, nil
	}

	first := b.candidates[0]
	if i := slices.IndexFunc(b.candidates, func(c *candidate) bool { return c.dict == before }); i >= 0 {
		first = b.candidates[i]
	}
	best := b.choose(log, first)

	evidence := newEvidence()
	records := log
	for p, ok := records.next(); ok; p, ok = records.next() {
		evidence.note(&b.builds, best[0], p)
	}
	if !evidence.fits() {
		return Choice{}, evidence.verdict()
	}
	choice := Choice{Dictionary: best[0].dict}
	choice.Ambiguous, choice.Tied = b.disputed(log, best, nil)
	return choice, nil
}

// candidate is a dictionary on trial.
type candidate struct {
	dict     Dictionary
	findings map[uint32]finding
	total    int // what the logs heard say against it, until one is chosen
}

// finding is what an address tells about a dictionary.
type finding struct {
	grade  grade
	reason string
	printf string
	format Format // nil if no string is there
}

type grade uint8

const (
	gradeGood   grade = iota
	gradeInside       // a string that begins before the address
	gradeBad
)

func newCandidate(d Dictionary) *candidate {
	return &candidate{dict: d, findings: map[uint32]finding{}}
}

// disputed counts the records of a log that candidates read differently, and
// adds the names of these candidates to tied.
func (b *builds) disputed(log Records, best []*candidate, tied []string) (n int64, _ []string) {
	if len(best) < 2 {
		return 0, tied
	}
	for p, ok := log.next(); ok; p, ok = log.next() {
		others := b.differs(p, best)
		if len(others) == 0 {
			continue
		}
		n++
		tied = addName(tied, best[0])
		for _, c := range others {
			tied = addName(tied, c)
		}
	}
	return n, tied
}

// addName adds the name of a candidate, if it has one, to others.
func addName(names []string, c *candidate) []string {
	named, ok := c.dict.(fmt.Stringer)
	if !ok || len(names) >= maxTied {
		return names
	}
	if name := named.String(); name != "" && !slices.Contains(names, name) {
		names = append(names, name)
	}
	return names
}

// differs returns those of the candidates, the same ones for many records, that
// read one differently from the first.
func (b *builds) differs(p format.Payload, best []*candidate) []*candidate {
	if !slices.Equal(b.compared, best) {
		b.compared = append(b.compared[:0], best...)
		clear(b.differed)
	}
	of := key{p.FmtAddr(), p.Module()}
	others, ok := b.differed[of]
	if !ok {
		if len(b.differed) >= maxAddrs {
			clear(b.differed)
		}
		first := b.look(best[0], p)
		for _, c := range best[1:] {
			if b.look(c, p) != first {
				others = append(others, c)
			}
		}
		b.differed[of] = others
	}
	return others
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

func (b *builds) look(c *candidate, p format.Payload) (s sight) {
	s.format, _ = c.dict.Format(p.FmtAddr())
	s.module, _ = c.dict.Module(p.Module())
	if b.sources {
		s.file, s.line, _ = c.dict.Source(p.FmtAddr())
	}
	return s
}

// issued returns the candidate that the log's session token was issued for, or nil.
func (b *builds) issued(log Records) *candidate {
	if b.known == nil || log.token == 0 {
		return nil
	}
	dict := b.known(log.token)
	if i := slices.IndexFunc(b.candidates, func(c *candidate) bool { return c.dict == dict }); i >= 0 {
		return b.candidates[i]
	}
	return nil
}

// choose returns the candidate that the log's session token was issued for, or those
// that the log says least against. c, that of the log before, comes first if it is
// one of them.
func (b *builds) choose(log Records, c *candidate) []*candidate {
	if issued := b.issued(log); issued != nil {
		b.best = append(b.best[:0], issued)
		return b.best
	}
	least := b.against(c, log, math.MaxInt)
	b.best = append(b.best[:0], c)
	for _, other := range b.candidates {
		if other == c {
			continue
		}
		n := b.against(other, log, least+1)
		if n < least {
			least = n
			b.best = b.best[:0]
		}
		if n == least {
			b.best = append(b.best, other)
		}
	}
	return b.best
}

// against sums up what a log says against a candidate, up to a limit.
func (b *builds) against(c *candidate, log Records, limit int) int {
	n := 0
	for p, ok := log.next(); ok; p, ok = log.next() {
		if n += int(b.grade(c, p)); n >= limit {
			break
		}
	}
	return n
}

// grade tells how well a record fits.
func (b *builds) grade(c *candidate, p format.Payload) grade {
	f := b.find(c, p.FmtAddr())
	if f.format != nil && !f.format.Fits(p) {
		return gradeBad
	}
	return f.grade
}

// find looks an address up.
func (b *builds) find(c *candidate, addr uint32) finding {
	f, ok := c.findings[addr]
	if ok {
		return f
	}
	if len(c.findings) >= maxAddrs {
		clear(c.findings)
	}

	printf, ok := c.dict.Format(addr)
	switch {
	case !ok:
		f = finding{grade: gradeBad, reason: "no string is there"}
	case printf == "" || !c.dict.Begins(addr):
		f = finding{grade: gradeInside, reason: fmt.Sprintf("%.60q is the end of a longer string", printf), printf: printf, format: b.parse(printf)}
	default:
		f = finding{printf: printf, format: b.parse(printf)}
	}

	if over, has := c.dict.(Overlaid); has && f.format != nil {
		if others := over.Overlays(addr); len(others) > 0 {
			formats := anyOf{f.format}
			for _, printf := range others {
				formats = append(formats, b.parse(printf))
			}
			f.format = formats
		}
	}

	c.findings[addr] = f
	return f
}

// anyOf are the formats at one address.
type anyOf []Format

// Fits implements Format.
func (a anyOf) Fits(p format.Payload) bool {
	return slices.ContainsFunc(a, func(f Format) bool { return f.Fits(p) })
}
