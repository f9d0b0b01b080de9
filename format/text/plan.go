package text

import (
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

// maxRecorded is the number of arguments that agents record at most.
//
// Source: FORMAT section 2.
const maxRecorded = 8

// An agent reads the argument list of a call by the format, as printf does, but
// knows fewer conversions: those that it does not know it skips without taking
// their argument, and for a long it takes eight bytes. So what it records under
// one conversion may be the argument of another one. Both walks are known from
// the format alone: words of four bytes follow each other, the first at an address
// that is 4 modulo 8, and eight bytes begin at a multiple of 8.
//
// Source: FORMAT section 2; 32-bit ARM calling convention.

// list is a place in an argument list, in words after its first.
type list struct{ next int }

// take returns the place of the next argument and moves on behind it.
func (l *list) take(wide bool) (word int) {
	if wide {
		l.next |= 1 // odd words lie at multiples of 8
	}
	word = l.next
	l.next++
	if wide {
		l.next++
	}
	return word
}

// reading is one argument as an agent reads it.
type reading struct {
	typ  format.ArgType
	word int
}

func (r reading) wide() bool {
	return r.typ == format.ArgTypeDouble || isWide(r.typ)
}

// agentReadings returns what agents 1.0.2 to 1.2.3 record of a call. With open they
// record more: behind a percent sign that ends the format they read on in the
// string that the firmware has there, as if it were the format.
func agentReadings(printf string) (readings []reading, open bool) {
	var args list
	for len(readings) < maxRecorded {
		i := strings.IndexByte(printf, '%')
		if i < 0 {
			break
		}
		printf = printf[i+1:]
		if printf == "" {
			return readings, true
		}
		if strings.HasPrefix(printf, "%") {
			printf = printf[1:]
			continue
		}

		typ, n := agentConversion(printf)
		printf = printf[n:]
		if typ == 0 {
			continue
		}

		r := reading{typ: typ}
		r.word = args.take(r.wide())
		readings = append(readings, r)
	}
	return readings, false
}

// agentConversion reads what follows a percent sign as agents do: flags, width,
// precision, up to two l, verb. The type is 0 where they skip the conversion; they
// go on at the first character that they do not know.
func agentConversion(s string) (typ format.ArgType, n int) {
	skip := func(set string, limit int) {
		for ; n < len(s) && limit > 0 && strings.IndexByte(set, s[n]) >= 0; limit-- {
			n++
		}
	}

	const digits = "0123456789"
	skip("-+ #0", len(s))
	skip(digits, len(s))
	if n < len(s) && s[n] == '.' {
		n++
		skip(digits, len(s))
	}

	before := n
	skip("l", 2)
	long := n > before
	if n == len(s) {
		return 0, n
	}

	switch s[n] {
	case 'd', 'i':
		typ = format.ArgTypeI32
		if long {
			typ = format.ArgTypeI64
		}
	case 'u', 'x', 'X', 'o':
		typ = format.ArgTypeU32
		if long {
			typ = format.ArgTypeU64
		}
	case 'c':
		typ = format.ArgTypeChar
	case 'p':
		typ = format.ArgTypePointer
	case 's':
		typ = format.ArgTypeString
	case 'e', 'E', 'f', 'g', 'G':
		typ = format.ArgTypeDouble
	default:
		return 0, n
	}
	return typ, n + 1
}

// none is the index of a reading that took no part of an argument.
const none = -1

// part is four bytes of an argument, as far as they were recorded.
type part struct {
	arg   int8 // index of the recorded argument, or none
	shift uint8
	typ   format.ArgType // as which it was recorded
}

// slot is an argument of the call: one part, or two.
type slot struct {
	low, high part
	wide      bool
}

// plan says where the arguments of a call are in a record.
type plan struct {
	readings []reading // what agents record
	open     bool      // and then more, which is no argument
	slots    []slot    // the arguments of the call, those for stars included
	// straight says that each conversion takes the recorded argument of its own
	// index, as far as there are any.
	straight bool
	long     bool // an argument of four bytes was recorded as eight
	texts    int  // of the readings, strings
}

// newPlan prepares what holds for every record of a statement.
func newPlan(t *Template) plan {
	p := plan{straight: true}
	p.readings, p.open = agentReadings(t.format)
	for _, r := range p.readings {
		if r.typ == format.ArgTypeString {
			p.texts++
		}
	}

	var args list
	for i := range t.convs {
		c := &t.convs[i]
		for range c.stars() {
			p.slots = append(p.slots, slot{low: p.part(args.take(false))})
			p.straight = false
		}

		s := slot{wide: c.wide()}
		word := args.take(s.wide)
		s.low = p.part(word)
		if s.wide {
			s.high = p.part(word + 1)
		}
		p.straight = p.straight && p.isStraight(i, word, c)
		p.long = p.long || c.length == lengthL
		p.slots = append(p.slots, s)
	}

	p.straight = p.straight && len(p.readings) <= len(t.convs)
	return p
}

// part finds who recorded a word of the list.
func (p *plan) part(word int) part {
	for i, r := range p.readings {
		switch {
		case r.word == word:
			return part{arg: int8(i), typ: r.typ}
		case r.word+1 == word && r.wide():
			return part{arg: int8(i), shift: 32, typ: r.typ}
		}
	}
	return part{arg: none}
}

// isStraight reports whether the conversion with this index, whose argument lies
// at word, was recorded under the same index, or not as one of the first eight.
func (p *plan) isStraight(i, word int, c *conversion) bool {
	if i >= len(p.readings) {
		return i >= maxRecorded && len(p.readings) == maxRecorded
	}
	r := p.readings[i]
	return r.word == word && c.takes(r.typ)
}

// match tells how the types that were recorded agree with a format.
type match uint8

const (
	matchNone   match = iota // no agent records such a call like that
	matchAgent               // as the agents that are known record it
	matchCaller              // as one that knows every conversion would
)

// compare compares packed types with the plan.
func (t *Template) compare(types []byte) match {
	if t.plan.open && len(types) > len(t.plan.readings) {
		types = types[:len(t.plan.readings)]
	}
	if len(types) == len(t.plan.readings) {
		diff := byte(0)
		for i, packed := range types {
			diff |= (packed>>4 ^ byte(t.plan.readings[i].typ))
		}
		if diff == 0 {
			return matchAgent
		}
	}
	return t.compareLeniently(types)
}

// compareLeniently also takes a signed integer for an unsigned one, and a pointer for
// either: where an argument lies is the same for them.
func (t *Template) compareLeniently(types []byte) match {
	if len(types) == len(t.plan.readings) {
		ok := true
		for i, packed := range types {
			ok = ok && alike(t.plan.readings[i].typ, format.ArgType(packed>>4))
		}
		if ok {
			return matchAgent
		}
	}

	if len(types) != min(t.numArgs, maxRecorded) {
		return matchNone
	}
	n := 0
	for i := range t.convs {
		c := &t.convs[i]
		for range c.stars() {
			if n < len(types) && format.ArgType(types[n]>>4) != format.ArgTypeI32 {
				return matchNone
			}
			n++
		}
		if n < len(types) && !c.takes(format.ArgType(types[n]>>4)) {
			return matchNone
		}
		n++
	}
	return matchCaller
}

// alike reports whether two types are of the same size and kind.
func alike(a, b format.ArgType) bool {
	if a == b {
		return true
	}
	word := func(t format.ArgType) bool {
		return t == format.ArgTypeI32 || t == format.ArgTypeU32 || t == format.ArgTypePointer
	}
	return word(a) && word(b) || isWide(a) && isWide(b)
}

// Fits reports whether a call with this format could have been recorded as p:
// whether the types and their number are those that agents make of it. False says
// that the format is not the record's, so the firmware file is not the device's;
// true says little about a format without arguments.
func (t *Template) Fits(p format.Payload) bool { return t.compare(p.PackedTypes()) != matchNone }

// takes reports whether the conversion's argument is one recorded as type t.
func (c *conversion) takes(t format.ArgType) bool {
	switch c.class {
	case classSigned, classUnsigned:
		switch c.length {
		case lengthLL, lengthJ:
			return isWide(t)
		case lengthL:
			return t == format.ArgTypeI32 || t == format.ArgTypeU32 || isWide(t)
		}
		return t == format.ArgTypeI32 || t == format.ArgTypeU32
	case classChar:
		return isInteger(t) && !isWide(t)
	case classString:
		return t == format.ArgTypeString
	case classPointer:
		return t == format.ArgTypePointer || t == format.ArgTypeU32
	case classNothing:
		return t == format.ArgTypePointer
	}
	return t == format.ArgTypeDouble
}
