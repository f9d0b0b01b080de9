package main

import (
	"fmt"
	"strconv"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

// accessors writes the getter and the setter of a field of a fixed view.
func (f *field) accessors(out *code) {
	switch {
	case len(f.Contents) > 0:
		f.contents(out)
	case f.Type.Kind == spec.User && !f.Tail():
		f.subview(out)
	case f.Type.Kind == spec.TextNUL:
		f.text(out)
	case f.Tail():
		f.fixedBytes(out)
	case f.Type.Kind == spec.Bits:
		f.bitField(out)
	default:
		f.scalar(out)
	}
}

// method is a method of the fixed view with one statement.
func (f *field) method(name string, params, result *jen.Statement, body ...jen.Code) *jen.Statement {
	s := jen.Func().Params(f.in.receiver()).Id(name)
	if params == nil {
		s = s.Params()
	} else {
		s = s.Params(params)
	}
	if result != nil {
		s = s.Add(result)
	}
	if len(body) == 1 {
		return s.Add(inline(body[0]))
	}
	return s.Block(body...)
}

// inline is a block on the line of its function: { return v[0] }. jennifer's
// Block would take three.
func inline(statement jen.Code) *jen.Statement {
	return jen.Custom(jen.Options{Open: "{", Close: "}"}, statement)
}

// slice is the field's bytes: v[1:5].
func (f *field) slice() *jen.Statement {
	return jen.Id("v").Index(jen.Lit(f.Offset).Op(":").Lit(f.Offset + f.size()))
}

// full is the same with its capacity cut off, so that no append through it can
// reach the next field: v[1:5:5].
func (f *field) full() *jen.Statement {
	end := f.Offset + f.size()
	return jen.Id("v").Index(jen.Lit(f.Offset), jen.Lit(end), jen.Lit(end))
}

func (f *field) getterDoc() []string { return describe(f.Name+" returns "+f.ID, f.Doc) }

// setterDoc says what a setter writes, and what comes of a wrong value.
func (f *field) setterDoc(what string) []string {
	doc := "Set" + f.Name + " writes " + what + "."
	if b := f.allowed(); b != "" {
		doc += " AppendTo refuses all but " + b + "."
	}
	if f.Mutable {
		doc += " No checksum covers it: it may be patched at any time."
	}
	return []string{doc}
}

// func (v *HeaderV3) Tick() uint32     { return binary.LittleEndian.Uint32(v[5:9]) }
// func (v *HeaderV3) SetTick(x uint32) { binary.LittleEndian.PutUint32(v[5:9], x) }
func (f *field) scalar(out *code) {
	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), jen.Return(f.load(jen.Id("v"), f.Offset))))
	what := f.ID
	if e := f.Enum; e != nil && f.in.plan.byEnum[e].bits > f.bits() {
		what = fmt.Sprintf("the low %d bits of x to %s", f.bits(), f.ID)
	}
	out.decl(f.setterDoc(what), f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, f.store()))
}

// store is the statement that writes x:
//
//	v[0] = x
//	binary.LittleEndian.PutUint32(v[5:9], x)
func (f *field) store() *jen.Statement {
	x := f.raw(jen.Id("x"))
	if f.Type.Width == 1 {
		return jen.Id("v").Index(jen.Lit(f.Offset)).Op("=").Add(x)
	}
	return f.order().Dot("PutUint"+strconv.Itoa(8*f.Type.Width)).Call(f.slice(), x)
}

// func (v *CrashHeader) Magic() []byte { return v[0:4:4] }
// func (v *CrashHeader) SetMagic()     { *(*[4]byte)(v[0:4]) = [4]byte{0x63, 0x43, 0x03, 0x00} }
func (f *field) contents(out *code) {
	out.decl(describe(f.Name+" returns the bytes of "+f.ID, f.Doc),
		f.method(f.Name, nil, f.goType(), jen.Return(f.full())))
	array := jen.Index(jen.Lit(f.size())).Byte()
	out.decl([]string{fmt.Sprintf("Set%s writes the bytes that %s always has, % x.", f.Name, f.ID, f.Contents)},
		f.method("Set"+f.Name, nil, nil,
			jen.Op("*").Parens(jen.Op("*").Add(array.Clone())).Parens(f.slice()).Op("=").Add(array).Values(f.bytes()...)))
}

// func (v *Pair) First() *Half     { return (*Half)(v[0:4]) }
// func (v *Pair) SetFirst(x *Half) { *(*Half)(v[0:4]) = *x }
func (f *field) subview(out *code) {
	pointer := jen.Parens(f.goType()).Parens(f.slice())
	out.decl(describe(f.Name+" returns a view of "+f.ID, f.Doc), f.method(f.Name, nil, f.goType(), jen.Return(pointer.Clone())))
	out.decl([]string{"Set" + f.Name + " writes " + f.ID + ", a copy of x."},
		f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, jen.Op("*").Add(pointer).Op("=").Op("*").Id("x")))
}

// func (v *Key) Salt() []byte       { return v[4:20:20] }
// func (v *Key) SetSalt(x *[16]byte) { *(*[16]byte)(v[4:20]) = *x }
func (f *field) fixedBytes(out *code) {
	array := jen.Op("*").Index(jen.Lit(f.size())).Byte()
	out.decl(describe(f.Name+" returns the bytes of "+f.ID, f.Doc), f.method(f.Name, nil, f.goType(), jen.Return(f.full())))
	out.decl([]string{"Set" + f.Name + " writes " + f.ID + ", a copy of x."},
		f.method("Set"+f.Name, jen.Id("x").Add(array.Clone()), nil,
			jen.Op("*").Parens(array).Parens(f.slice()).Op("=").Op("*").Id("x")))
}

// func (v *CoreDumpHeader) GitHash() []byte { return untilNUL(v[16:60]) }
//
// func (v *CoreDumpHeader) SetGitHash(s string) error {
//
//	if !setText(v[16:60], s) {
//		return errCoreDumpHeaderGitHash
//	}
//	return nil
//
// }
func (f *field) text(out *code) {
	f.in.plan.uses["untilNUL"], f.in.plan.uses["setText"] = true, true
	out.decl(describe(f.Name+" returns the text of "+f.ID+", up to its first NUL byte", f.Doc),
		f.method(f.Name, nil, f.goType(), jen.Return(jen.Id("untilNUL").Call(f.slice()))))
	doc := fmt.Sprintf("Set%s writes %s and pads it with NUL bytes. It refuses, with ErrTooLong, text of more than %d bytes or with a NUL byte, and writes nothing then.",
		f.Name, f.ID, f.size()-1)
	out.decl([]string{doc}, f.method("Set"+f.Name, jen.Id("s").String(), jen.Error(),
		jen.If(jen.Op("!").Id("setText").Call(f.slice(), jen.Id("s"))).Block(
			jen.Return(f.in.fail(f.Name, f.ID, f.Offset, "ErrTooLong"))),
		jen.Return(jen.Nil())))
}

// bitField writes the accessors of a field of some bits, counted from the most
// significant bit of its first byte on.
func (f *field) bitField(out *code) {
	span := (f.Bit + f.Type.Width + 7) / 8
	what := fmt.Sprintf("the low %d bits of x to %s", f.Type.Width, f.ID)
	switch {
	case f.isBool():
		f.flag(out)
		return
	case span > 1:
		f.wideBits(out, span, what)
		return
	}
	if f.Type.Width == 8 {
		what = f.ID
	}
	// func (v *PayloadHeader) Level() Level     { return Level(v[0] >> 5) }
	// func (v *PayloadHeader) SetLevel(x Level) { v[0] = v[0]&0x1f | byte(x)<<5 }
	at := jen.Id("v").Index(jen.Lit(f.Offset))
	shift := 8 - f.Bit - f.Type.Width
	mask := 1<<f.Type.Width - 1
	get := at.Clone()
	if shift > 0 {
		get = get.Op(">>").Lit(shift)
	}
	if f.Bit > 0 {
		get = get.Op("&").Id(hex(mask, 1))
	}
	if f.Enum != nil {
		get = f.goType().Parens(get)
	}
	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), jen.Return(get)))
	put := jen.Id("x")
	if f.Enum != nil {
		put = jen.Byte().Parens(put)
	}
	if f.Bit > 0 {
		put = put.Op("&").Id(hex(mask, 1))
	}
	if shift > 0 {
		put = put.Op("<<").Lit(shift)
	}
	if keep := 0xff &^ (mask << shift); keep != 0 {
		put = at.Clone().Op("&").Id(hex(keep, 1)).Op("|").Add(put)
	}
	out.decl(f.setterDoc(what), f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, at.Clone().Op("=").Add(put)))
}

// func (v *Status) Ready() bool { return v[0]&0x80 != 0 }
//
// func (v *Status) SetReady(x bool) {
//
//	v[0] &^= 0x80
//	if x {
//		v[0] |= 0x80
//	}
//
// }
func (f *field) flag(out *code) {
	at := jen.Id("v").Index(jen.Lit(f.Offset))
	mask := jen.Id(hex(0x80>>f.Bit, 1))
	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), jen.Return(at.Clone().Op("&").Add(mask.Clone()).Op("!=").Lit(0))))
	out.decl(f.setterDoc(f.ID), f.method("Set"+f.Name, jen.Id("x").Bool(), nil,
		at.Clone().Op("&^=").Add(mask.Clone()),
		jen.If(jen.Id("x")).Block(at.Clone().Op("|=").Add(mask))))
}

// A field across bytes goes through one integer, the first byte at its top:
//
//	func (v *Date) Year() uint16 {
//		n := uint16(v[0])<<8 | uint16(v[1])
//		return n >> 4
//	}
//
//	func (v *Date) SetYear(x uint16) {
//		n := uint16(v[0])<<8 | uint16(v[1])
//		n = n&0x000f | x&0x0fff<<4
//		v[0] = byte(n >> 8)
//		v[1] = byte(n)
//	}
func (f *field) wideBits(out *code, span int, what string) {
	bits := 16
	for bits < 8*span {
		bits *= 2
	}
	word := "uint" + strconv.Itoa(bits)
	shift := 8*span - f.Bit - f.Type.Width
	mask := uint64(1)<<(f.Type.Width-1)<<1 - 1
	all := uint64(1)<<(8*span-1)<<1 - 1
	n := jen.Id("n").Op(":=")
	for i := range span {
		if i > 0 {
			n = n.Op("|")
		}
		n = n.Id(word).Parens(jen.Id("v").Index(jen.Lit(f.Offset + i)))
		if up := 8 * (span - 1 - i); up > 0 {
			n = n.Op("<<").Lit(up)
		}
	}
	get := jen.Id("n")
	if shift > 0 {
		get = get.Op(">>").Lit(shift)
	}
	if f.Bit > 0 {
		get = get.Op("&").Id(hex(mask, span))
	}
	if f.Enum != nil || word != f.number() {
		get = f.goType().Parens(get)
	}
	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), n.Clone(), jen.Return(get)))
	put := jen.Id("x")
	if f.Enum != nil || word != f.number() {
		put = jen.Id(word).Parens(put)
	}
	put = put.Op("&").Id(hex(mask, span))
	if shift > 0 {
		put = put.Op("<<").Lit(shift)
	}
	body := []jen.Code{n, jen.Id("n").Op("=").Id("n").Op("&").Id(hex(all&^(mask<<shift), span)).Op("|").Add(put)}
	if mask<<shift == all {
		body = []jen.Code{jen.Id("n").Op(":=").Id(word).Parens(jen.Id("x"))}
	}
	for i := range span {
		part := jen.Id("n")
		if up := 8 * (span - 1 - i); up > 0 {
			part = part.Op(">>").Lit(up)
		}
		body = append(body, jen.Id("v").Index(jen.Lit(f.Offset+i)).Op("=").Byte().Parens(part))
	}
	out.decl(f.setterDoc(what), f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, body...))
}

// hex writes a mask with all digits of its bytes; Lit would print decimals.
func hex[T int | uint64](n T, bytes int) string { return fmt.Sprintf("0x%0*x", 2*bytes, n) }
