package main

import "github.com/dave/jennifer/jen"

// emitSupport writes what all views share: errors, and the helpers they use.
func (p *plan) emitSupport(file *jen.File) {
	out := &code{}
	emitSentinels(out)
	emitError(out)
	for _, h := range []struct {
		name string
		emit func(*code)
	}{
		{"setText", emitSetText},
		{"untilNUL", emitUntilNUL},
		{"cutNUL", emitCutNUL},
		{"hasNUL", emitHasNUL},
	} {
		if p.uses[h.name] {
			h.emit(out)
		}
	}
	for _, c := range *out {
		file.Add(c)
	}
}

// emitSentinels writes:
//
//	var (
//		ErrShort = errors.New("ends too early")
//		...
//	)
func emitSentinels(out *code) {
	out.decl([]string{"What can be wrong with bytes. Every *Error unwraps to one of these."},
		jen.Var().DefsFunc(func(g *jen.Group) {
			for _, s := range [][2]string{
				{"ErrShort", "ends too early"},
				{"ErrValue", "value not allowed"},
				{"ErrChecksum", "checksum mismatch"},
				{"ErrLength", "length field and content differ"},
				{"ErrTooLong", "does not fit"},
			} {
				g.Id(s[0]).Op("=").Qual("errors", "New").Call(jen.Lit(s[1]))
			}
		}))
}

// emitError writes the type of all errors:
//
//	type Error struct {
//		...
//	}
//
//	func (e *Error) Error() string {
//		s := e.Type
//		if e.Field != "" {
//			s += "." + e.Field
//		}
//		if e.Offset >= 0 {
//			s += " at offset " + strconv.Itoa(e.Offset)
//		}
//		return s + ": " + e.Err.Error()
//	}
//
//	func (e *Error) Unwrap() error { return e.Err }
func emitError(out *code) {
	out.decl([]string{"Error says which field of which type is wrong. The functions of this package return values made once, so that an error costs no allocation: do not change them."},
		jen.Type().Id("Error").Struct(
			jen.Id("Type").String().Comment("name in the spec"),
			jen.Id("Field").String().Comment("name in the spec; empty when it is the whole type"),
			jen.Id("Offset").Int().Comment("in bytes from the start of the type; -1 when other fields decide it"),
			jen.Id("Err").Error().Comment("one of the sentinels"),
		))
	s := jen.Id("s")
	of := func(field string) *jen.Statement { return jen.Id("e").Dot(field) }
	receiver := jen.Id("e").Op("*").Id("Error")
	out.decl([]string{"Error says what is wrong, where, in the spec's words."},
		jen.Func().Params(receiver.Clone()).Id("Error").Params().String().Block(
			s.Clone().Op(":=").Add(of("Type")),
			jen.If(of("Field").Op("!=").Lit("")).Block(s.Clone().Op("+=").Lit(".").Op("+").Add(of("Field"))),
			jen.If(of("Offset").Op(">=").Lit(0)).Block(
				s.Clone().Op("+=").Lit(" at offset ").Op("+").Qual("strconv", "Itoa").Call(of("Offset"))),
			jen.Return(s.Clone().Op("+").Lit(": ").Op("+").Add(of("Err").Dot("Error").Call())),
		))
	out.decl([]string{"Unwrap returns the sentinel."},
		jen.Func().Params(receiver).Id("Unwrap").Params().Error().Add(inline(jen.Return(of("Err")))))
}

// eachByte is: for i, c := range b { if c == 0 { ... } }
func eachByte(index string, found ...jen.Code) *jen.Statement {
	return jen.For(jen.List(jen.Id(index), jen.Id("c")).Op(":=").Range().Id("b")).Block(
		jen.If(jen.Id("c").Op("==").Lit(0)).Block(found...))
}

// cutAt is b[:n:n]: what is before n, its capacity cut off. With n from a range
// over b the compiler needs no bounds check.
func cutAt(n jen.Code) *jen.Statement { return jen.Id("b").Index(jen.Empty(), n, n) }

// emitHasNUL writes:
//
//	func hasNUL(b []byte) bool {
//		for _, c := range b {
//			if c == 0 {
//				return true
//			}
//		}
//		return false
//	}
func emitHasNUL(out *code) {
	out.decl([]string{"hasNUL says whether b holds a NUL byte."},
		jen.Func().Id("hasNUL").Params(jen.Id("b").Index().Byte()).Bool().Block(
			eachByte("_", jen.Return(jen.True())), jen.Return(jen.False())))
}

// emitCutNUL writes:
//
//	func cutNUL(b []byte) (text, rest []byte, ok bool) {
//		for i, c := range b {
//			if c == 0 {
//				return b[:i:i], b[i+1:], true
//			}
//		}
//		return nil, nil, false
//	}
func emitCutNUL(out *code) {
	out.decl([]string{"cutNUL returns the bytes before and after the first NUL byte; ok is false when there is none."},
		jen.Func().Id("cutNUL").Params(jen.Id("b").Index().Byte()).
			Params(jen.List(jen.Id("text"), jen.Id("rest")).Index().Byte(), jen.Id("ok").Bool()).Block(
			eachByte("i", jen.Return(cutAt(jen.Id("i")), jen.Id("b").Index(jen.Id("i").Op("+").Lit(1).Op(":")), jen.True())),
			jen.Return(jen.Nil(), jen.Nil(), jen.False())))
}

// emitUntilNUL writes:
//
//	func untilNUL(b []byte) []byte {
//		for i, c := range b {
//			if c == 0 {
//				return b[:i:i]
//			}
//		}
//		return b[:len(b):len(b)]
//	}
func emitUntilNUL(out *code) {
	out.decl([]string{"untilNUL returns the bytes before the first NUL byte, or all."},
		jen.Func().Id("untilNUL").Params(jen.Id("b").Index().Byte()).Index().Byte().Block(
			eachByte("i", jen.Return(cutAt(jen.Id("i")))),
			jen.Return(cutAt(jen.Len(jen.Id("b"))))))
}

// emitSetText writes:
//
//	func setText(field []byte, s string) bool {
//		if len(s) >= len(field) {
//			return false
//		}
//		for i := range len(s) {
//			if s[i] == 0 {
//				return false
//			}
//		}
//		clear(field[copy(field, s):])
//		return true
//	}
func emitSetText(out *code) {
	field, s, i := jen.Id("field"), jen.Id("s"), jen.Id("i")
	out.decl([]string{"setText fills a field with text and NUL bytes, one at least. It returns false, and writes nothing, when the text is too long or holds a NUL byte itself."},
		jen.Func().Id("setText").Params(field.Clone().Index().Byte(), s.Clone().String()).Bool().Block(
			jen.If(jen.Len(s.Clone()).Op(">=").Len(field.Clone())).Block(jen.Return(jen.False())),
			jen.For(i.Clone().Op(":=").Range().Len(s.Clone())).Block(
				jen.If(s.Clone().Index(i).Op("==").Lit(0)).Block(jen.Return(jen.False()))),
			jen.Id("clear").Call(field.Clone().Index(jen.Id("copy").Call(field.Clone(), s).Op(":"))),
			jen.Return(jen.True()),
		))
}
