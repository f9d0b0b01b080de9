package text

import "github.com/ulogkit/ulogkit/format"

// maxRecorded is the number of arguments that agents record at most.
//
// Source: FORMAT section 2.
const maxRecorded = 8

// Fits reports whether a call with this format could have been recorded as p:
// whether the types are those of the conversions, and the count is what agents
// make of it. False says that the format is not the record's, so the firmware
// file is not the device's; true says little about a format without arguments.
func (t *Template) Fits(p format.Payload) bool {
	n := p.NumArgs()
	if n > t.numArgs {
		return false
	}
	if n != min(t.numArgs, maxRecorded) {
		// Some were left out: all, or those from the conversion on that stops
		// agents from recording.
		if stops := t.numSure < t.numArgs; !stops || n != 0 && n < min(t.numSure, maxRecorded) {
			return false
		}
	}
	args := p.Args()
	for i := range t.convs {
		c := &t.convs[i]
		stars := 0
		if c.width == fromArg {
			stars++
		}
		if c.prec == fromArg {
			stars++
		}
		for range stars {
			if !args.Next() {
				return true
			}
			if a := args.Arg(); a.Type() != format.ArgTypeI32 {
				return false
			}
		}
		if !args.Next() {
			return true
		}
		if a := args.Arg(); !c.takes(a.Type()) {
			return false
		}
	}
	return true
}

// takes reports whether agents record the conversion's argument as type t.
func (c *conversion) takes(t format.ArgType) bool {
	switch c.class {
	case classSigned, classUnsigned:
		switch c.length {
		case lengthLL, lengthJ:
			return isWide(t)
		case lengthL:
			return isInteger(t)
		}
		return t == format.ArgTypeI32 || t == format.ArgTypeU32
	case classChar:
		return isInteger(t) && !isWide(t)
	case classString:
		return t == format.ArgTypeString
	case classPointer:
		return t == format.ArgTypePointer || t == format.ArgTypeU32
	}
	return t == format.ArgTypeDouble
}
