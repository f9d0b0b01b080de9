package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

// structType writes the type of a view whose size is not fixed:
//
//	// LogV3 is a view of log_v3: ...
//	type LogV3 struct {
//		// Header of the buffer.
//		Header *HeaderV3
//		...
//	}
func (v *view) structType(file *jen.File) {
	comment(file, 0, v.typeDoc("")...)
	file.Type().Id(v.Name).StructFunc(func(g *jen.Group) {
		for _, f := range v.fields {
			if len(f.Contents) > 0 {
				continue // always the same bytes: nothing to hold
			}
			doc := strings.Split(f.Doc, "\n\n")
			if f.If != nil {
				doc[len(doc)-1] += " Nil when it is missing."
			}
			if b := f.allowed(); b != "" {
				doc[len(doc)-1] += " Allowed: " + b + "."
			}
			comment(g, 1, doc...)
			g.Id(f.Name).Add(f.goType())
		}
	})
	file.Line()
}

func (v *view) structFuncs(out *code) {
	v.structParse(out)
	v.verify(out)
	v.structAppend(out)
}

// structParse writes the parser. Numbers that follow each other are read after
// one look at the length; their offsets are then constants.
//
//	func ParseChunk(b []byte) (v Chunk, rest []byte, err error) {
//		...
//		return v, rest, nil
//	}
func (v *view) structParse(out *code) {
	doc := fmt.Sprintf("%s returns a view of the %s that b begins with, and the bytes after it.", v.parser(), v.ID)
	if v.Greedy {
		doc = fmt.Sprintf("%s returns a view of b as one %s, which takes all bytes: rest is always empty.", v.parser(), v.ID)
	}

	out.decl([]string{doc}, jen.Func().Id(v.parser()).Params(jen.Id("b").Index().Byte()).
		Params(jen.Id("v").Id(v.Name), jen.Id("rest").Index().Byte(), jen.Id("err").Error()).
		BlockFunc(func(g *jen.Group) {
			if slices.ContainsFunc(v.fields, func(f *field) bool { return f.Type.Kind == spec.TextNUL && !f.Tail() }) {
				g.Var().Id("ok").Bool()
			}
			p := parseFunc{v, g, "b"}
			for i := 0; i < len(v.fields); {
				if n := v.run(i); n > 0 {
					p.numbers(v.fields[i : i+n])
					i += n
					continue
				}
				p.field(v.fields[i])
				i++
			}

			g.Return(jen.Id("v"), jen.Id(p.from), jen.Nil())
		}))
}

// run counts the fields from index i on that have a fixed size of their own.
func (v *view) run(i int) int {
	n := 0
	for ; i+n < len(v.fields); n++ {
		f := v.fields[i+n]
		if k := f.Type.Kind; len(f.Contents) == 0 && (k != spec.Int && k != spec.Float || f.If != nil) {
			break
		}
	}
	return n
}

// parseFunc writes the statements that read one field after another; from is the
// slice that begins with the next one: b at first, rest afterwards.
type parseFunc struct {
	v    *view
	g    *jen.Group
	from string
}

func (p *parseFunc) giveUp(err *jen.Statement) *jen.Statement {
	return jen.Return(jen.Id(p.v.Name).Values(), jen.Nil(), err)
}

// short is the error for missing bytes of f: of the whole view at its start.
func (p *parseFunc) short(f *field) *jen.Statement {
	if f.Offset == 0 {
		return p.v.fail("Short", "", 0, "ErrShort")
	}
	return p.v.fail(f.Name+"Short", f.ID, f.Offset, "ErrShort")
}

// numbers reads a run of fields of fixed size:
//
//	if len(b) < 4 {
//		return Chunk{}, nil, errChunkShort
//	}
//	v.Offset = binary.LittleEndian.Uint16(b[0:2])
//	v.LenTotal = binary.LittleEndian.Uint16(b[2:4])
//	if v.LenTotal < 1 {
//		return Chunk{}, nil, errChunkLenTotal
//	}
//	rest = b[4:]
func (p *parseFunc) numbers(run []*field) {
	size := 0
	for _, f := range run {
		size += f.size()
	}

	from := jen.Id(p.from)
	p.g.If(jen.Len(from.Clone()).Op("<").Lit(size)).Block(p.giveUp(p.short(run[0])))
	at := 0
	for _, f := range run {
		bad := func() *jen.Statement { return p.giveUp(p.v.fail(f.Name, f.ID, f.Offset, "ErrValue")) }
		if n := len(f.Contents); n > 0 {
			// if [4]byte(b[0:4]) != [4]byte{0x63, 0x43, 0x03, 0x00} {
			array := jen.Index(jen.Lit(n)).Byte()
			p.g.If(array.Clone().Parens(from.Clone().Index(jen.Lit(at).Op(":").Lit(at + n))).
				Op("!=").Add(array).Values(f.bytes()...)).Block(bad())
		} else {
			p.g.Add(f.get()).Op("=").Add(f.load(from.Clone(), at))
		}

		if c := f.condition(); c != nil {
			p.g.If(c).Block(bad())
		}
		at += f.size()
	}

	p.g.Id("rest").Op("=").Add(from.Clone().Index(jen.Lit(at).Op(":")))
	p.from = "rest"
}

// field reads a field that is not a number.
func (p *parseFunc) field(f *field) {
	rest := jen.Id("rest")
	from := jen.Id(p.from)
	switch {
	case f.SizeEOS:
		// v.Data, rest = rest[:len(rest):len(rest)], nil
		all := jen.Len(from.Clone())
		p.g.List(f.get(), rest).Op("=").List(
			from.Clone().Index(jen.Empty(), all.Clone(), all.Clone()), from.Clone().Index(all.Clone().Op(":")))
	case f.Tail():
		p.tail(f)
	case f.Type.Kind == spec.TextNUL:
		p.text(f)
	default:
		// if v.Header, rest, err = ParseHeaderV3(b); err != nil {
		//	return LogV3{}, nil, err
		// }
		p.g.If(jen.List(f.get(), rest, jen.Err()).Op("=").Id(f.inner().parser()).Call(from), jen.Err().Op("!=").Nil()).
			Block(p.giveUp(jen.Err()))
	}
	p.from = "rest"
}

// tail reads bytes whose number other fields give:
//
//	n := int(v.Header.LenData())
//	if n > len(rest) {
//		return LogV3{}, nil, errLogV3Data
//	}
//	v.Data, rest = rest[:n:n], rest[n:]
//
// The spec's check has proved that the number is not negative. Where it may not
// fit into an int it is an int64 until it has been compared.
func (p *parseFunc) tail(f *field) {
	from := jen.Id(p.from)
	n := jen.Id("n" + f.Name)
	as := lengthType(f.Size)
	have := jen.Len(from.Clone())
	if as != "int" {
		have = jen.Id(as).Parens(have)
	}
	length := f.in.compute(f.Size, as)
	if _, constant := spec.Const(f.Size); constant {
		n = length.Clone()
	} else {
		p.g.Add(n.Clone()).Op(":=").Add(length)
	}
	p.g.If(n.Clone().Op(">").Add(have)).Block(p.giveUp(p.v.fail(f.Name, f.ID, f.Offset, "ErrShort")))
	p.g.List(f.get(), jen.Id("rest")).Op("=").List(
		from.Clone().Index(jen.Empty(), n.Clone(), n.Clone()), from.Clone().Index(n.Clone().Op(":")))
}

// text reads up to a NUL byte; text that may be missing only while bytes are left:
//
//	if len(rest) > 0 {
//		if v.GitHash, rest, ok = cutNUL(rest); !ok {
//			return DeviceInfo{}, nil, errDeviceInfoGitHash
//		}
//	}
func (p *parseFunc) text(f *field) {
	p.v.plan.uses["cutNUL"] = true
	read := jen.If(jen.List(f.get(), jen.Id("rest"), jen.Id("ok")).Op("=").Id("cutNUL").Call(jen.Id(p.from)), jen.Op("!").Id("ok")).
		Block(p.giveUp(p.v.fail(f.Name, f.ID, f.Offset, "ErrShort")))
	if f.If == nil {
		p.g.Add(read)
		return
	}
	if p.from == "b" {
		p.g.Id("rest").Op("=").Id("b")
		p.from = "rest"
		p.text(f)
		return
	}
	p.g.If(jen.Len(jen.Id(p.from)).Op(">").Lit(0)).Block(read)
}

// structAppend writes AppendTo:
//
//	func (v LogV3) AppendTo(dst []byte) (_ []byte, err error) {
//		...
//		return dst, nil
//	}
func (v *view) structAppend(out *code) {
	doc := "AppendTo appends the bytes of v to dst."
	if r := v.refusals(); len(r) > 0 {
		doc += " It refuses " + listed(r) + "; it then returns nil."
	}
	results := []jen.Code{jen.Index().Byte(), jen.Error()}
	for _, f := range v.fields {
		if f.inner() != nil {
			results = []jen.Code{jen.Id("_").Index().Byte(), jen.Err().Error()}
		}
	}
	out.decl([]string{doc}, jen.Func().Params(v.receiver()).Id("AppendTo").Params(jen.Id("dst").Index().Byte()).
		Params(results...).BlockFunc(func(g *jen.Group) {
		for i, f := range v.fields {
			f.append(g, i)
		}
		g.Return(jen.Id("dst"), jen.Nil())
	}))
}

// refusals says in words what AppendTo refuses.
func (v *view) refusals() []string {
	var values, length, missing, text, optional bool
	for _, f := range v.fields {
		inner := f.inner()
		values = values || f.condition() != nil || inner != nil
		length = length || f.Size != nil
		missing = missing || inner != nil && inner.fixed
		text = text || f.Type.Kind == spec.TextNUL
		optional = optional || f.If != nil
	}

	var out []string
	for _, r := range []struct {
		applies bool
		what    string
	}{
		{values, "values that " + v.parser() + " refuses"},
		{length, "a length that is not that of its content"},
		{missing, "a view that is nil"},
		{text, "text with a NUL byte"},
		{optional, "text after one that is missing"},
	} {
		if r.applies {
			out = append(out, r.what)
		}
	}
	return out
}

// append writes the statements that append one field.
func (f *field) append(g *jen.Group, i int) {
	dst := jen.Id("dst")
	refuse := func(cond *jen.Statement, err *jen.Statement) {
		g.If(cond).Block(jen.Return(jen.Nil(), err))
	}
	if c := f.condition(); c != nil {
		refuse(c, f.in.fail(f.Name, f.ID, f.Offset, "ErrValue"))
	}

	switch inner := f.inner(); {
	case len(f.Contents) > 0:
		// dst = append(dst, 0x63, 0x43, 0x03, 0x00)
		g.Add(dst.Clone()).Op("=").Append(append([]jen.Code{dst}, f.bytes()...)...)
	case inner != nil:
		// if v.Header == nil {
		//	return nil, errLogV3Header
		// }
		// if dst, err = v.Header.AppendTo(dst); err != nil {
		//	return nil, err
		// }
		if inner.fixed {
			refuse(f.get().Op("==").Nil(), f.in.fail(f.Name, f.ID, f.Offset, "ErrValue"))
		}
		g.If(jen.List(dst, jen.Err()).Op("=").Add(f.get()).Dot("AppendTo").Call(dst.Clone()), jen.Err().Op("!=").Nil()).
			Block(jen.Return(jen.Nil(), jen.Err()))
	case f.Tail():
		// if int(v.Header.LenData()) != len(v.Data) {
		//	return nil, errLogV3DataLength
		// }
		// dst = append(dst, v.Data...)
		if f.Size != nil {
			as := lengthType(f.Size)
			have := jen.Len(f.get())
			if as != "int" {
				have = jen.Id(as).Parens(have)
			}
			refuse(f.in.compute(f.Size, as).Op("!=").Add(have), f.in.fail(f.Name+"Length", f.ID, f.Offset, "ErrLength"))
		}
		g.Add(dst.Clone()).Op("=").Append(dst, f.get().Op("..."))
	case f.Type.Kind == spec.TextNUL:
		f.appendText(g, i)
	case f.Type.Width == 1:
		// dst = append(dst, byte(v.Level))
		g.Add(dst.Clone()).Op("=").Append(dst, f.raw(f.get()))
	default:
		// dst = binary.LittleEndian.AppendUint32(dst, v.Start)
		g.Add(dst.Clone()).Op("=").Add(f.order()).Dot("AppendUint"+strconv.Itoa(8*f.Type.Width)).Call(dst, f.raw(f.get()))
	}
}

// appendText appends text and its NUL. Text that may be missing is left out when
// it is nil; then all after it must be nil, or a parser would mix them up.
//
//	if v.GitHash != nil {
//		if v.GitVersion == nil || hasNUL(v.GitHash) {
//			return nil, errDeviceInfoGitHashValue
//		}
//		dst = append(append(dst, v.GitHash...), 0)
//	}
func (f *field) appendText(g *jen.Group, i int) {
	f.in.plan.uses["hasNUL"] = true
	bad := jen.Id("hasNUL").Call(f.get())
	if f.If != nil && i > 0 && f.in.fields[i-1].If != nil {
		bad = f.in.fields[i-1].get().Op("==").Nil().Op("||").Add(bad)
	}
	body := []jen.Code{
		jen.If(bad).Block(jen.Return(jen.Nil(), f.in.fail(f.Name+"Value", f.ID, f.Offset, "ErrValue"))),
		jen.Id("dst").Op("=").Append(jen.Append(jen.Id("dst"), f.get().Op("...")), jen.Lit(0)),
	}
	if f.If == nil {
		for _, c := range body {
			g.Add(c)
		}
		return
	}
	g.If(f.get().Op("!=").Nil()).Block(body...)
}
