package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

const docWidth = 80 // columns, the comment marker included

// comment writes paragraphs as line comments; a paragraph that begins with a tab
// is set as it is. jennifer would make a block comment of several lines, so each
// is a statement of its own.
func comment(g adder, indent int, paragraphs ...string) {
	for i, p := range paragraphs {
		if i > 0 {
			g.Add(jen.Comment("//"))
		}
		lines := strings.Split(p, "\n")
		if !strings.HasPrefix(p, "\t") {
			lines = wrap(p, docWidth-len("// ")-8*indent)
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "\t") {
				line = " " + line
			}
			g.Add(jen.Comment("//" + line))
		}
	}
}

// adder is a file or a group of statements.
type adder interface {
	Add(code ...jen.Code) *jen.Statement
}

// wrap breaks text between words into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// continued lets a doc from the spec follow a colon: its first letter becomes
// small unless the first word is a name or an abbreviation.
func continued(doc string) string {
	first, _, _ := strings.Cut(doc, " ")
	for i, c := range first {
		if i > 0 && (unicode.IsUpper(c) || unicode.IsDigit(c)) {
			return doc
		}
	}
	return strings.ToLower(doc[:1]) + doc[1:]
}

// describe joins an opening that names the thing with its doc from the spec.
func describe(opening, doc string) []string {
	if doc == "" {
		return []string{opening + "."}
	}
	paragraphs := strings.Split(doc, "\n\n")
	paragraphs[0] = opening + ": " + continued(paragraphs[0])
	return paragraphs
}

// table lists the fields of a fixed view with their places and bounds.
func (v *view) table() string {
	rows := [][4]string{{"offset", "type", "field", "value"}}
	for _, f := range v.fields {
		rows = append(rows, [4]string{f.place(), f.form(), f.ID, f.values()})
	}
	if empty := func(r [4]string) bool { return r[3] == "" }; allOf(rows[1:], empty) {
		rows[0][3] = ""
	}
	var width [4]int
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := fmt.Sprintf("\t%-*s  %-*s  %-*s  %s", width[0], r[0], width[1], r[1], width[2], r[2], r[3])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func allOf[T any](list []T, ok func(T) bool) bool {
	for _, e := range list {
		if !ok(e) {
			return false
		}
	}
	return true
}

// place is the field's offset in bytes; for a bit field with its bits in the
// byte, from high to low, or in the bytes it spans, counted from the first.
func (f *field) place() string {
	if f.Type.Kind != spec.Bits {
		return fmt.Sprint(f.Offset)
	}
	span := (f.Bit + f.Type.Width + 7) / 8
	high := 8*span - 1 - f.Bit
	if f.Type.Width == 1 {
		return fmt.Sprintf("%d[%d]", f.Offset, high)
	}
	return fmt.Sprintf("%d[%d:%d]", f.Offset, high, high-f.Type.Width+1)
}

// form is the field's type in the spec, with its size where the type has none.
func (f *field) form() string {
	name := f.Type.Name
	if name == "" {
		name = "byte"
	}
	if n := f.size(); f.Tail() || len(f.Contents) > 0 {
		return fmt.Sprintf("%s[%d]", name, n)
	}
	return name
}

// values says which values the field may have.
func (f *field) values() string {
	var parts []string
	if f.Enum != nil {
		parts = append(parts, f.Enum.ID)
	}
	if len(f.Contents) > 0 {
		parts = append(parts, fmt.Sprintf("% x", f.Contents))
	}
	if b := f.allowed(); b != "" {
		parts = append(parts, b)
	}
	return strings.Join(parts, ", ")
}

// allowed says in words which values the field may have, and is empty when that
// is all that its bits hold.
func (f *field) allowed() string {
	if f.condition() == nil {
		return ""
	}

	text := func(e spec.Expr) string {
		if lit, ok := e.(*spec.EnumLit); ok {
			return lit.Name
		}
		return e.String()
	}

	v := f.Valid
	switch least, most := f.extremes(); {
	case v.Eq != nil:
		return text(v.Eq)
	case len(v.AnyOf) > 0:
		var all []string
		for _, e := range v.AnyOf {
			all = append(all, text(e))
		}
		return strings.Join(all, ", ")
	case v.Max == nil || isConst(v.Max, most):
		return text(v.Min) + " and above"
	case v.Min == nil || isConst(v.Min, least):
		return text(v.Max) + " and below"
	default:
		return text(v.Min) + " to " + text(v.Max)
	}
}

// listed joins parts of a sentence: a, b and c.
func listed(parts []string) string {
	last := len(parts) - 1
	if last < 1 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}
