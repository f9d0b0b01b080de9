package main

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

// failure is an *Error made once, so that returning it allocates nothing.
type failure struct {
	of       string // the type in the spec
	field    string // in the spec; empty for the whole type
	offset   int
	sentinel string
	name     string // of the variable
}

// fail returns the variable for an error, which emitFailures declares.
func (v *view) fail(suffix, field string, offset int, sentinel string) *jen.Statement {
	f := failure{v.ID, field, offset, sentinel, "err" + v.plan.goName(v.ID) + suffix}
	for n := 2; ; n++ {
		other, taken := v.plan.failures[f.name]
		if !taken {
			v.plan.failures[f.name] = f
			v.failures = append(v.failures, f)
		}
		if !taken || other == f {
			return jen.Id(f.name)
		}
		// A field named short, or a_short beside a type named a: rare enough
		// for a number.
		f.name = fmt.Sprintf("err%s%s%d", v.plan.goName(v.ID), suffix, n)
	}
}

// parser is the Go name of the function that returns the view.
func (v *view) parser() string {
	name := v.plan.goName(v.ID)
	if v.Name != name {
		return "parse" + strings.ToUpper(v.Name[:1]) + v.Name[1:]
	}
	return "Parse" + name
}

// emit writes the file of a view.
func (v *view) emit(file *jen.File) {
	body := &code{}
	if v.fixed {
		v.fixedType(file)
		v.fixedFuncs(body)
	} else {
		v.structType(file)
		v.structFuncs(body)
	}
	v.emitFailures(file) // known only now that the functions are made
	for _, c := range *body {
		file.Add(c)
	}
}

// code collects statements until they are due.
type code []jen.Code

func (c *code) Add(more ...jen.Code) *jen.Statement {
	*c = append(*c, more...)
	return nil
}

// decl adds a declaration with its doc, and a blank line.
func (c *code) decl(doc []string, d jen.Code) {
	comment(c, 0, doc...)
	c.Add(d, jen.Line())
}

// emitFailures writes:
//
//	var (
//		errHeaderV3Short   = &Error{Type: "header_v3", Offset: 0, Err: ErrShort}
//		errHeaderV3Version = &Error{Type: "header_v3", Field: "version", Offset: 0, Err: ErrValue}
//	)
func (v *view) emitFailures(file *jen.File) {
	defs := make([]jen.Code, len(v.failures))
	for i, f := range v.failures {
		parts := []jen.Code{jen.Id("Type").Op(":").Lit(v.ID)}
		if f.field != "" {
			parts = append(parts, jen.Id("Field").Op(":").Lit(f.field))
		}
		parts = append(parts, jen.Id("Offset").Op(":").Lit(f.offset), jen.Id("Err").Op(":").Id(f.sentinel))
		defs[i] = jen.Id(f.name).Op("=").Op("&").Id("Error").Values(parts...)
	}
	switch len(defs) {
	case 0:
		return
	case 1:
		file.Var().Add(defs[0])
	default:
		file.Var().Defs(defs...)
	}
	file.Line()
}

// typeDoc is the doc of a view's type, with the source of its facts.
func (v *view) typeDoc(table string) []string {
	doc := describe(v.Name+" is a view of "+v.ID, v.Doc)
	if table != "" {
		doc = append(doc, table)
	}
	if v.version {
		doc = append(doc, "It has no parser of its own: a conversion makes it of bytes that are known to begin with one.")
	}
	return append(doc, "Source: "+strings.TrimSuffix(v.DocRef, ".")+".")
}

// fixedType writes:
//
//	// HeaderV3Size is the length of a HeaderV3 in bytes.
//	const HeaderV3Size = 17
//
//	// HeaderV3 is a view of header_v3: ...
//	type HeaderV3 [HeaderV3Size]byte
func (v *view) fixedType(file *jen.File) {
	comment(file, 0, fmt.Sprintf("%sSize is the length of a %s in bytes.", v.Name, v.Name))
	file.Const().Id(v.Name + "Size").Op("=").Lit(v.Size)
	file.Line()
	comment(file, 0, v.typeDoc(v.table())...)
	file.Type().Id(v.Name).Index(jen.Id(v.Name + "Size")).Byte()
	file.Line()
}

func (v *view) fixedFuncs(out *code) {
	if !v.version {
		v.fixedParse(out)
	}
	v.fixedCheck(out)
	for _, f := range v.fields {
		f.accessors(out)
	}
	v.verify(out)
	v.fixedAppend(out)
}

// checks says whether some values of v are refused.
func (v *view) checks() bool {
	for _, f := range v.fields {
		if f.checks() {
			return true
		}
	}
	return false
}

func (f *field) checks() bool {
	if len(f.Contents) > 0 || f.condition() != nil {
		return true
	}
	inner := f.inner()
	return inner != nil && inner.fixed && inner.checks()
}

// inner is the view that the field holds; nil when it holds something else.
func (f *field) inner() *view {
	if f.Type.Kind != spec.User || f.Tail() {
		return nil
	}
	return f.in.plan.byType[f.Type.User]
}

// fixedParse writes:
//
//	func ParseHeaderV3(b []byte) (v *HeaderV3, rest []byte, err error) {
//		if len(b) < HeaderV3Size {
//			return nil, nil, errHeaderV3Short
//		}
//		v = (*HeaderV3)(b)
//		if err := v.check(); err != nil {
//			return nil, nil, err
//		}
//		return v, b[HeaderV3Size:], nil
//	}
func (v *view) fixedParse(out *code) {
	size := jen.Id(v.Name + "Size")
	doc := fmt.Sprintf("%s returns a view of the %s that b begins with, and the bytes after it.", v.parser(), v.ID)
	out.decl([]string{doc}, jen.Func().Id(v.parser()).Params(jen.Id("b").Index().Byte()).
		Params(jen.Id("v").Op("*").Id(v.Name), jen.Id("rest").Index().Byte(), jen.Id("err").Error()).
		BlockFunc(func(g *jen.Group) {
			g.If(jen.Len(jen.Id("b")).Op("<").Add(size.Clone())).Block(
				jen.Return(jen.Nil(), jen.Nil(), v.fail("Short", "", 0, "ErrShort")))
			g.Id("v").Op("=").Parens(jen.Op("*").Id(v.Name)).Parens(jen.Id("b"))
			if v.checks() {
				g.If(jen.Id("err").Op(":=").Id("v").Dot("check").Call(), jen.Id("err").Op("!=").Nil()).Block(
					jen.Return(jen.Nil(), jen.Nil(), jen.Id("err")))
			}
			g.Return(jen.Id("v"), jen.Id("b").Index(size.Clone().Op(":")), jen.Nil())
		}))
}

// fixedCheck writes:
//
//	func (v *HeaderV3) check() error {
//		if v.Version() != 3 {
//			return errHeaderV3Version
//		}
//		return nil
//	}
func (v *view) fixedCheck(out *code) {
	if !v.checks() {
		return
	}
	out.decl([]string{"check returns an error for the first field with a value that is not allowed."},
		jen.Func().Params(v.receiver()).Id("check").Params().Error().BlockFunc(func(g *jen.Group) {
			for _, f := range v.fields {
				f.fixedCheck(g)
			}
			g.Return(jen.Nil())
		}))
}

func (f *field) fixedCheck(g *jen.Group) {
	bad := func() *jen.Statement { return f.in.fail(f.Name, f.ID, f.Offset, "ErrValue") }
	if len(f.Contents) > 0 {
		// if [4]byte(v[0:4]) != [4]byte{0x63, 0x43, 0x03, 0x00} {
		array := jen.Index(jen.Lit(len(f.Contents))).Byte()
		g.If(array.Clone().Parens(f.slice()).Op("!=").Add(array.Clone()).Values(f.bytes()...)).Block(jen.Return(bad()))
	}
	if inner := f.inner(); inner != nil && inner.fixed && inner.checks() {
		// if err := v.Header().check(); err != nil {
		g.If(jen.Id("err").Op(":=").Id("v").Dot(f.Name).Call().Dot("check").Call(), jen.Id("err").Op("!=").Nil()).
			Block(jen.Return(jen.Id("err")))
	}
	if c := f.condition(); c != nil {
		// if v.Version() != 3 {
		g.If(c).Block(jen.Return(bad()))
	}
}

// bytes are the contents of the field as literals.
func (f *field) bytes() []jen.Code {
	out := make([]jen.Code, len(f.Contents))
	for i, b := range f.Contents {
		out[i] = jen.Id(fmt.Sprintf("0x%02x", b)) // Lit would print decimals
	}
	return out
}

// fixedAppend writes:
//
//	func (v *HeaderV3) AppendTo(dst []byte) ([]byte, error) {
//		if err := v.check(); err != nil {
//			return nil, err
//		}
//		return append(dst, v[:]...), nil
//	}
func (v *view) fixedAppend(out *code) {
	doc := fmt.Sprintf("AppendTo appends the %d bytes of v to dst.", v.Size)
	if v.checks() && v.version {
		doc += " It refuses values that are not allowed, and then returns nil."
	} else if v.checks() {
		doc += fmt.Sprintf(" It refuses values that %s refuses, and then returns nil.", v.parser())
	}
	out.decl([]string{doc}, jen.Func().Params(v.receiver()).Id("AppendTo").Params(jen.Id("dst").Index().Byte()).
		Params(jen.Index().Byte(), jen.Error()).BlockFunc(func(g *jen.Group) {
		if v.checks() {
			g.If(jen.Id("err").Op(":=").Id("v").Dot("check").Call(), jen.Id("err").Op("!=").Nil()).Block(
				jen.Return(jen.Nil(), jen.Id("err")))
		}
		g.Return(jen.Append(jen.Id("dst"), jen.Id("v").Index(jen.Op(":")).Op("...")), jen.Nil())
	}))
}

// receiver is `v *HeaderV3` for an array, `v LogV3` for a struct.
func (v *view) receiver() *jen.Statement {
	if v.fixed {
		return jen.Id("v").Op("*").Id(v.Name)
	}
	return jen.Id("v").Id(v.Name)
}
