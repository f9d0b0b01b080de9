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

// scalar writes:
//
//	func (v *HeaderV3) Tick() uint32     { return binary.LittleEndian.Uint32(v[5:9]) }
//	func (v *HeaderV3) SetTick(x uint32) { binary.LittleEndian.PutUint32(v[5:9], x) }
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

// contents writes:
//
//	func (v *CrashHeader) Magic() []byte { return v[0:4:4] }
//	func (v *CrashHeader) SetMagic()     { *(*[4]byte)(v[0:4]) = [4]byte{0x63, 0x43, 0x03, 0x00} }
func (f *field) contents(out *code) {
	out.decl(describe(f.Name+" returns the bytes of "+f.ID, f.Doc),
		f.method(f.Name, nil, f.goType(), jen.Return(f.full())))
	array := jen.Index(jen.Lit(f.size())).Byte()
	out.decl([]string{fmt.Sprintf("Set%s writes the bytes that %s always has, % x.", f.Name, f.ID, f.Contents)},
		f.method("Set"+f.Name, nil, nil,
			jen.Op("*").Parens(jen.Op("*").Add(array.Clone())).Parens(f.slice()).Op("=").Add(array).Values(f.bytes()...)))
}

// subview writes:
//
//	func (v *Pair) First() *Half     { return (*Half)(v[0:4]) }
//	func (v *Pair) SetFirst(x *Half) { *(*Half)(v[0:4]) = *x }
func (f *field) subview(out *code) {
	pointer := jen.Parens(f.goType()).Parens(f.slice())
	out.decl(describe(f.Name+" returns a view of "+f.ID, f.Doc), f.method(f.Name, nil, f.goType(), jen.Return(pointer.Clone())))
	out.decl([]string{"Set" + f.Name + " writes " + f.ID + ", a copy of x."},
		f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, jen.Op("*").Add(pointer).Op("=").Op("*").Id("x")))
}

// fixedBytes writes:
//
//	func (v *Key) Salt() []byte       { return v[4:20:20] }
//	func (v *Key) SetSalt(x *[16]byte) { *(*[16]byte)(v[4:20]) = *x }
func (f *field) fixedBytes(out *code) {
	array := jen.Op("*").Index(jen.Lit(f.size())).Byte()
	out.decl(describe(f.Name+" returns the bytes of "+f.ID, f.Doc), f.method(f.Name, nil, f.goType(), jen.Return(f.full())))
	out.decl([]string{"Set" + f.Name + " writes " + f.ID + ", a copy of x."},
		f.method("Set"+f.Name, jen.Id("x").Add(array.Clone()), nil,
			jen.Op("*").Parens(array).Parens(f.slice()).Op("=").Op("*").Id("x")))
}

// text writes:
//
//	func (v *CoreDumpHeader) GitHash() []byte { return untilNUL(v[16:60]) }
//
//	func (v *CoreDumpHeader) SetGitHash(s string) error {
//		if !setText(v[16:60], s) {
//			return errCoreDumpHeaderGitHash
//		}
//		return nil
//	}
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
