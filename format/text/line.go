package text

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// DefaultLine is the format of a line where none is given.
const DefaultLine = "{time:12} {level:-8} {module:-8} {text}"

// Line is the format of an output line, parsed once.
type Line struct {
	parts  []linePart
	colour bool
	source bool // a part needs the source line
}

type linePart struct {
	lead  string // text before the field
	field field
	width int
	left  bool
}

type field uint8

const (
	fieldNone field = iota
	fieldTime
	fieldSeconds
	fieldWall
	fieldBoot
	fieldLog
	fieldTick
	fieldSequence
	fieldIndex
	fieldFile
	fieldLevel
	fieldModule
	fieldModuleNumber
	fieldAddr
	fieldFmt
	fieldSource
	fieldText
)

// fields are the names of the fields, in the order of the constants.
var fields = [...]string{
	"", "time", "seconds", "wall", "boot", "log", "tick", "sequence", "index", "file", "level", "module", "module_number",
	"addr", "fmt", "source", "text",
}

// Fields returns the names of the fields of a line.
func Fields() []string { return append([]string(nil), fields[1:]...) }

// ParseLine reads the format of an output line: text with fields in braces, as
// in [DefaultLine]. A number after a colon is the width, padded on the left, or
// on the right if it is negative. Two braces stand for one. With colour, levels
// from warning on and metrics have one, as terminals understand it.
//
// The fields are time (device time in seconds; for logs without a clock the ticks,
// as in 5t, or the frame's number, as in #7), seconds, wall (RFC 3339, UTC), boot,
// log (index of the log in the file), tick, sequence, index
// (of the record in the file), file, level, module, module_number, addr, fmt,
// source (file:line) and text. What a record does not have is left empty.
func ParseLine(s string, colour bool) (*Line, error) {
	l := &Line{colour: colour}
	var lead strings.Builder
	for rest := s; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			lead.WriteString(rest)
			break
		}
		lead.WriteString(rest[:i])
		brace := rest[i]
		rest = rest[i+1:]
		if rest != "" && rest[0] == brace {
			lead.WriteByte(brace)
			rest = rest[1:]
			continue
		}

		end := strings.IndexByte(rest, '}')
		if brace == '}' || end < 0 {
			return nil, fmt.Errorf("line format %q: a brace without its partner; write two for one", s)
		}
		part, err := parseField(rest[:end])
		if err != nil {
			return nil, fmt.Errorf("line format %q: %w", s, err)
		}
		part.lead = lead.String()
		lead.Reset()
		l.parts = append(l.parts, part)
		l.source = l.source || part.field == fieldSource
		rest = rest[end+1:]
	}

	l.parts = append(l.parts, linePart{lead: lead.String() + "\n"})
	return l, nil
}

// parseField reads what stands between braces: a field, and its width if one is given.
func parseField(s string) (p linePart, err error) {
	name, width, given := strings.Cut(s, ":")
	for i, known := range fields {
		if name == known && i > 0 {
			p.field = field(i)
		}
	}
	if p.field == fieldNone {
		return p, fmt.Errorf("no field %q; there are %s", name, strings.Join(fields[1:], ", "))
	}
	if given {
		n, err := strconv.Atoi(width)
		if err != nil || n < -MaxWidth || n > MaxWidth {
			return p, fmt.Errorf("width %q of field %q is not a number up to %d", width, name, MaxWidth)
		}
		p.width, p.left = max(n, -n), n < 0
	}
	return p, nil
}

// record is a record on its way to the output.
type record struct {
	stmt    *statement
	p       format.Payload
	index   int64
	log     int64 // index of its log in the file
	offset  int64 // of its frame in the file
	place   *clock.Place
	row     *row // in place of that, where the record was JSON
	tick    uint64
	rate    uint32 // ticks a second, 0 without a clock
	seconds string // in place of the rate, where the record was JSON
	seq     uint16
	timed   bool // tick is set, and not seq
	lenHead int  // of its frame, in bytes
	damaged bool
	bad     error  // why the payload cannot be read
	raw     []byte // the payload
}

// cells are the fields of a line that have few values, ready to be written: by
// part of the line, then by level or module.
type cells [][32]string

// newCells fills in the cells that are the same in many records: those of the levels
// and of the modules of a dictionary.
func newCells(l *Line, dict Dictionary) cells {
	c := make(cells, len(l.parts))
	names := newModuleNames(dict)
	for i := range l.parts {
		p := &l.parts[i]
		switch p.field {
		case fieldLevel:
			for level, name := range levelNames {
				colour := levelColours[level]
				cell := append([]byte(nil), name...)
				cell = p.fill(cell, 0)
				if l.colour && colour != "" {
					cell = append(append([]byte(colour), cell...), colourEnd...)
				}
				c[i][level] = string(cell)
			}
		case fieldModule:
			for module, name := range names {
				c[i][module] = string(p.fill([]byte(name), 0))
			}
		}
	}

	return c
}

// appendLine appends the line of r, whose text is text.
func (o *renderer) appendLine(dst []byte, r *record, text []byte) []byte {
	parts := o.cfg.Line.parts
	for i := range parts {
		p := &parts[i]
		dst = append(dst, p.lead...)
		start := len(dst)
		switch p.field {
		case fieldTime:
			dst = r.appendTime(dst)
		case fieldSeconds:
			if r.hasTime() {
				dst = r.appendSeconds(dst)
			}
		case fieldWall:
			if us, _, ok := r.wall(); ok {
				dst = appendWall(dst, us)
			}
		case fieldBoot:
			if log, _, boot := r.where(); log >= 0 {
				dst = appendDecimal(dst, boot)
			}
		case fieldLog:
			if log, _, _ := r.where(); log >= 0 {
				dst = appendDecimal(dst, log)
			}
		case fieldTick:
			if r.timed {
				dst = appendUnsigned(dst, r.tick)
			}
		case fieldSequence:
			if !r.timed {
				dst = appendUnsigned(dst, uint64(r.seq))
			}
		case fieldIndex:
			dst = appendUnsigned(dst, uint64(r.index))
		case fieldFile:
			dst = append(dst, o.shown...)
		case fieldText:
			dst = append(dst, text...)
		default:
			if r.bad != nil {
				break
			}

			switch p.field {
			case fieldLevel:
				dst = append(dst, o.cells[i][r.p.Level()&7]...)
				continue
			case fieldModule:
				dst = append(dst, o.cells[i][r.p.Module()&31]...)
				continue
			case fieldModuleNumber:
				dst = appendUnsigned(dst, uint64(r.p.Module()))
			case fieldAddr:
				dst = appendAddr(dst, r.p.FmtAddr())
			case fieldFmt:
				if t := r.stmt.template; t != nil {
					dst = appendPrintable(dst, t.format)
				}
			case fieldSource:
				dst = appendPrintable(dst, r.stmt.source)
			}
		}

		if p.width > 0 {
			dst = p.fill(dst, start)
		}
	}
	return dst
}

const spaces = "                                "

// fill pads dst[start:] to the field's width, in characters of UTF-8.
func (p *linePart) fill(dst []byte, start int) []byte {
	n := p.width
	for _, b := range dst[start:] {
		if b&0xc0 != 0x80 {
			n--
		}
	}
	if n <= 0 {
		return dst
	}
	end := len(dst)
	for left := n; left > 0; left -= len(spaces) {
		dst = append(dst, spaces[:min(left, len(spaces))]...)
	}
	if !p.left {
		copy(dst[start+n:], dst[start:end])
		for i := start; i < start+n; i++ {
			dst[i] = ' '
		}
	}
	return dst
}

var levelNames = [8]string{"debug", "info", "warning", "error", "critical", "metric", "level(6)", "level(7)"}

// levelColours are the terminal's codes by level.
var levelColours = [8]string{2: "\x1b[33m", 3: "\x1b[31m", 4: "\x1b[1;31m", 5: "\x1b[36m"}

const colourEnd = "\x1b[0m"

func appendAddr(dst []byte, addr uint32) []byte {
	dst = append(dst, '0', 'x')
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[addr>>shift&15])
	}
	return dst
}

// moduleNames are the modules as they are shown: by name, or by number.
type moduleNames [32]string

func newModuleNames(d Dictionary) *moduleNames {
	var names moduleNames
	for i := range names {
		name := ""
		if d != nil {
			name, _ = d.Module(uint8(i))
		}
		names[i] = moduleName(uint8(i), name)
	}
	return &names
}

func moduleName(number uint8, name string) string {
	switch {
	case name != "":
		return string(appendPrintable(nil, name))
	case number == 31:
		return "always"
	}
	return strconv.Itoa(int(number))
}
