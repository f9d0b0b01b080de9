package main

import (
	"fmt"
	"go/token"
	"slices"

	"github.com/dave/jennifer/jen"
)

// emit writes the file of the family.
func (f *family) emit(file *jen.File) {
	body := &code{}
	f.tables(body)
	f.lookup(body)
	f.sumFunc(body)
	f.access(body, f.layout(), f.header, true)
	f.access(body, f.frame(), f.head, false)
	f.parseFrame(body)
	f.failFrame(body)

	f.layoutType(file)
	f.frameType(file)
	for _, v := range f.versions {
		v.header.emitFailures(file)
		v.log.emitFailures(file)
	}

	for _, g := range f.frames {
		g.emitFailures(file)
	}
	for _, c := range *body {
		file.Add(c)
	}
}

// layoutType writes:
//
//	// logLayout says where the parts of log lie in one version of it.
//	type logLayout struct {
//		version   uint8
//		lenHeader int
//		ofsTick   int
//		...
//		frame     *logFrame
//		trailing  bool
//		errShort, errData, errChecksum *Error
//	}
func (f *family) layoutType(file *jen.File) {
	longest := 0
	for _, v := range f.versions {
		longest = max(longest, v.header.Size)
	}

	comment(file, 0, fmt.Sprintf("max%sHeader is the length in bytes of the longest header of a %s.", f.plan.goName(f.ID), f.ID))
	file.Const().Id("max" + f.plan.goName(f.ID) + "Header").Op("=").Lit(longest)
	file.Line()
	shortest := f.frames[0].header.Size
	for _, g := range f.frames {
		shortest = min(shortest, g.header.Size)
	}

	comment(file, 0, fmt.Sprintf("min%sHeader is the length in bytes of the shortest header of a frame.", f.plan.goName(f.ID)+"Frame"))
	file.Const().Id("min" + f.plan.goName(f.ID) + "FrameHeader").Op("=").Lit(shortest)
	file.Line()
	comment(file, 0, fmt.Sprintf("%s says where the parts of one version of %s lie. Offsets are in bytes from the start of the header; -1 when the version has no such field.", f.layout(), f.ID))
	file.Type().Id(f.layout()).StructFunc(func(g *jen.Group) {
		g.Id("version").Uint8()
		g.Id("lenHeader").Int().Comment("in bytes")
		for _, a := range f.header {
			g.Id("ofs" + f.plan.goName(a.ID)).Int()
		}
		g.Id("frame").Op("*").Id(f.frame())
		g.Id("trailing").Bool().Comment("bytes that are no frame may end the data")
		g.List(jen.Id("errShort"), jen.Id("errData"), jen.Id("errChecksum")).Op("*").Id("Error")
	})
	file.Line()
}

// frameType writes:
//
//	// logFrame says where the parts of one type of frame lie.
//	type logFrame struct {
//		index     uint8
//		lenHeader int
//		ofsTickDelta int
//		...
//	}
func (f *family) frameType(file *jen.File) {
	comment(file, 0, fmt.Sprintf("%s says where the parts of one type of frame lie, as %s does.", f.frame(), f.layout()))
	file.Type().Id(f.frame()).StructFunc(func(g *jen.Group) {
		g.Id("index").Uint8().Comment("in " + f.frame() + "s")
		g.Id("lenHeader").Int().Comment("in bytes")
		for _, a := range f.head {
			g.Id("ofs" + f.plan.goName(a.ID)).Int()
		}
	})
	file.Line()
}

// tables writes:
//
//	var logLayouts = [...]logLayout{
//		{version: 1, lenHeader: 13, ofsTick: -1, ..., frame: &logFrames[0], ...},
//	}
//
//	var logFrames = [...]logFrame{
//		{index: 0, lenHeader: 4, ofsLenPayload: 0, ofsSequence: 2, ofsTickDelta: -1}, // frame_v1
//	}
func (f *family) tables(out *code) {
	p := f.plan
	comment(out, 0, fmt.Sprintf("%ss are the versions of %s, in the order of the spec. They are not changed.", f.layout(), f.ID))
	out.Add(jen.Var().Id(f.layout()+"s").Op("=").Index(jen.Op("...")).Id(f.layout()).Op("{").Line().Do(func(s *jen.Statement) {
		for _, v := range f.versions {
			s.ValuesFunc(func(g *jen.Group) {
				pair := func(name string, value jen.Code) { g.Line().Id(name).Op(":").Add(value) }
				pair("version", jen.Lit(int(v.number)))
				pair("lenHeader", jen.Lit(v.header.Size))
				for _, a := range f.header {
					pair("ofs"+p.goName(a.ID), jen.Lit(offset(v.header, a.ID)))
				}

				pair("frame", jen.Op("&").Id(f.frame()+"s").Index(jen.Lit(v.frame.index)))
				if v.data.Trailing {
					pair("trailing", jen.True())
				}

				pair("errShort", v.header.fail("Short", "", 0, "ErrShort"))
				pair("errData", v.log.fail(p.goName(v.data.ID), v.data.ID, v.data.Offset, "ErrShort"))
				pair("errChecksum", v.log.fail("Checksum", v.checksum.String(), v.log.offset(v.checksum), "ErrChecksum"))
				g.Line()
			}).Op(",").Line()
		}
	}).Op("}"), jen.Line())

	comment(out, 0, fmt.Sprintf("%ss are the types of frames in a %s.", f.frame(), f.ID))
	out.Add(jen.Var().Id(f.frame()+"s").Op("=").Index(jen.Op("...")).Id(f.frame()).Op("{").Line().Do(func(s *jen.Statement) {
		for _, g := range f.frames {
			s.ValuesFunc(func(row *jen.Group) {
				row.Id("index").Op(":").Lit(g.index)
				row.Id("lenHeader").Op(":").Lit(g.header.Size)
				for _, a := range f.head {
					row.Id("ofs" + p.goName(a.ID)).Op(":").Lit(offset(g.header, a.ID))
				}
			}).Op(",").Comment(g.ID).Line()
		}
	}).Op("}"), jen.Line())
}

// lookup writes:
//
//	func logLayoutOf(version uint8) *logLayout {
//		switch version {
//		case 1:
//			return &logLayouts[0]
//		...
//		}
//		return nil
//	}
func (f *family) lookup(out *code) {
	name := f.layout() + "Of"
	out.decl([]string{fmt.Sprintf("%s returns the layout of a version of %s, nil when it is not known.", name, f.ID)},
		jen.Func().Id(name).Params(jen.Id("version").Uint8()).Op("*").Id(f.layout()).Block(
			jen.Switch(jen.Id("version")).BlockFunc(func(g *jen.Group) {
				for i, v := range f.versions {
					g.Case(jen.Lit(int(v.number))).Block(jen.Return(jen.Op("&").Id(f.layout() + "s").Index(jen.Lit(i))))
				}
			}),
			jen.Return(jen.Nil())))
}

// sumFunc writes:
//
//	func logSum(data []byte) uint16 { return uint16(XOR8(data)) }
func (f *family) sumFunc(out *code) {
	algorithm, width := goSum[f.algorithm], 8*f.sum.Type.Width
	sum := jen.Id(algorithm.name).Call(jen.Id("data"))
	if width != algorithm.bits {
		sum = jen.Id(fmt.Sprintf("uint%d", width)).Parens(sum)
	}
	out.decl([]string{fmt.Sprintf("%sSum returns the checksum of the data of a %s.", f.name, f.ID)},
		jen.Func().Id(f.name+"Sum").Params(jen.Id("data").Index().Byte()).Id(fmt.Sprintf("uint%d", width)).Add(inline(jen.Return(sum))))
}

// access writes a getter, where it is asked for, and a setter for each column. The
// bytes hold a whole header.
//
//	func (l *logLayout) getTick(b []byte) (x uint32, ok bool) {
//		if l.ofsTick < 0 {
//			return 0, false
//		}
//		return binary.LittleEndian.Uint32(b[l.ofsTick:]), true
//	}
//
//	func (l *logLayout) setTick(b []byte, x uint32) bool {
//		if l.ofsTick < 0 {
//			return false
//		}
//		binary.LittleEndian.PutUint32(b[l.ofsTick:], x)
//		return true
//	}
func (f *family) access(out *code, typ string, list columns, getters bool) {
	for _, a := range list {
		c := &field{a, &view{plan: f.plan}, f.plan.goName(a.ID)}
		at := jen.Id("l").Dot("ofs" + c.Name)
		missing := jen.If(at.Clone().Op("<").Lit(0))
		load, store := jen.Id("b").Index(at.Clone()), jen.Id("b").Index(at.Clone()).Op("=").Add(c.raw(jen.Id("x")))
		if n := a.Type.Width; n > 1 {
			load = c.order().Dot(fmt.Sprintf("Uint%d", 8*n)).Call(jen.Id("b").Index(at.Clone().Op(":")))
			store = c.order().Dot(fmt.Sprintf("PutUint%d", 8*n)).Call(jen.Id("b").Index(at.Clone().Op(":")), c.raw(jen.Id("x")))
		}

		if a.Type.Signed {
			load = c.goType().Parens(load)
		}
		if getters {
			out.decl([]string{fmt.Sprintf("get%s returns %s of the header b; ok is false when the version has none.", c.Name, a.ID)},
				jen.Func().Params(jen.Id("l").Op("*").Id(typ)).Id("get"+c.Name).Params(jen.Id("b").Index().Byte()).
					Params(jen.Id("x").Add(c.goType()), jen.Id("ok").Bool()).Block(
					missing.Clone().Block(jen.Return(jen.Lit(0), jen.False())),
					jen.Return(load, jen.True())))
		}

		out.decl([]string{fmt.Sprintf("set%s writes %s into the header b and reports whether it has one.", c.Name, a.ID)},
			jen.Func().Params(jen.Id("l").Op("*").Id(typ)).Id("set"+c.Name).Params(jen.Id("b").Index().Byte(), jen.Id("x").Add(c.goType())).
				Bool().Block(
				missing.Clone().Block(jen.Return(jen.False())),
				store,
				jen.Return(jen.True())))
	}
}

// fields are the columns of a frame's header without the length of the payload,
// which the parser uses up.
func (f *family) fields() (out columns) {
	for _, a := range f.head {
		if a.ID != f.frames[0].length.ID {
			out = append(out, a)
		}
	}
	return out
}

// parseFrame writes one parser for all types of frames. It tells failure by a
// bool, so that all results fit into registers.
//
//	func (l *logFrame) parse(b []byte) (sequence uint16, tickDelta uint32, payload, rest []byte, ok bool) {
//		switch l.index {
//		case 0: // frame_v1
//			if len(b) < logFrameHeaderV1Size {
//				return 0, 0, nil, nil, false
//			}
//			v := (*logFrameHeaderV1)(b)
//			rest = b[logFrameHeaderV1Size:]
//			n := int(v.LenPayload())
//			if v.LenPayload() < 6 || n > len(rest) {
//				return 0, 0, nil, nil, false
//			}
//			return v.Sequence(), 0, rest[:n:n], rest[n:], true
//		...
//		}
//		return 0, 0, nil, nil, false
//	}
func (f *family) parseFrame(out *code) {
	p := f.plan
	var results []jen.Code
	var none []jen.Code
	for _, a := range f.fields() {
		c := &field{a, &view{plan: p}, p.goName(a.ID)}
		results = append(results, jen.Id(resultName(c.Name)).Add(c.goType()))
		none = append(none, jen.Lit(0))
	}

	results = append(results, jen.List(jen.Id("payload"), jen.Id("rest")).Index().Byte(), jen.Id("ok").Bool())
	none = append(none, jen.Nil(), jen.Nil(), jen.False())
	giveUp := func() *jen.Statement { return jen.Return(none...) }
	out.decl([]string{"parse reads the frame that b begins with: the fields of its header, 0 for those that it has not, its payload and the bytes after it. Where ok is false, fail says why."},
		jen.Func().Params(jen.Id("l").Op("*").Id(f.frame())).Id("parse").Params(jen.Id("b").Index().Byte()).Params(results...).Block(
			jen.Switch(jen.Id("l").Dot("index")).BlockFunc(func(g *jen.Group) {
				for _, fr := range f.frames {
					h := p.byType[fr.header.Type]
					g.Case(jen.Lit(fr.index)).BlockFunc(func(g *jen.Group) {
						size := jen.Id(h.Name + "Size")
						g.If(jen.Len(jen.Id("b")).Op("<").Add(size.Clone())).Block(giveUp())
						g.Id("v").Op(":=").Parens(jen.Op("*").Id(h.Name)).Parens(jen.Id("b"))
						g.Id("rest").Op("=").Id("b").Index(size.Clone().Op(":"))
						g.Id("n").Op(":=").Int().Parens(jen.Id("v").Dot(p.goName(fr.length.ID)).Call())
						long := jen.Id("n").Op(">").Len(jen.Id("rest"))
						for _, f := range h.fields {
							if c := f.condition(); c != nil {
								long = c.Op("||").Add(long)
							}
						}

						g.If(long).Block(giveUp())
						var values []jen.Code
						for _, a := range f.fields() {
							if offset(h, a.ID) < 0 {
								values = append(values, jen.Lit(0))
								continue
							}
							values = append(values, jen.Id("v").Dot(p.goName(a.ID)).Call())
						}

						n, rest := jen.Id("n"), jen.Id("rest")
						g.Return(append(values, rest.Clone().Index(jen.Empty(), n.Clone(), n.Clone()), rest.Clone().Index(n.Clone().Op(":")), jen.True())...)
					})
				}
			}),
			giveUp()))
}

// failFrame writes:
//
//	func (l *logFrame) fail(b []byte) error {
//		switch l.index {
//		case 0:
//			if _, _, err := parseLogFrameHeaderV1(b); err != nil {
//				return err
//			}
//			return errFrameV1Payload
//		...
//		}
//		return nil
//	}
func (f *family) failFrame(out *code) {
	out.decl([]string{"fail returns why parse failed on b."},
		jen.Func().Params(jen.Id("l").Op("*").Id(f.frame())).Id("fail").Params(jen.Id("b").Index().Byte()).Error().Block(
			jen.Switch(jen.Id("l").Dot("index")).BlockFunc(func(g *jen.Group) {
				for _, fr := range f.frames {
					g.Case(jen.Lit(fr.index)).Block(
						jen.If(jen.List(jen.Id("_"), jen.Id("_"), jen.Err()).Op(":=").Id(f.plan.byType[fr.header.Type].parser()).Call(jen.Id("b")), jen.Err().Op("!=").Nil()).
							Block(jen.Return(jen.Err())),
						jen.Return(fr.fail(f.plan.goName(fr.payload.ID), fr.payload.ID, fr.payload.Offset, "ErrShort")))
				}
			}),
			jen.Return(jen.Nil())))
}

// resultName is the name of a result of the parser of frames, which has names of
// its own beside the keywords of Go.
func resultName(field string) string {
	name := lowerFirst(field)
	if token.IsKeyword(name) || slices.Contains([]string{"l", "b", "v", "n", "payload", "rest", "ok", "len", "int", "nil"}, name) {
		name += "Field"
	}
	return name
}
