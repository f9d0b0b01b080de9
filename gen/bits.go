package main

import (
	"fmt"

	"github.com/dave/jennifer/jen"
)

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

// flag writes:
//
//	func (v *Status) Ready() bool { return v[0]&0x80 != 0 }
//
//	func (v *Status) SetReady(x bool) {
//		v[0] &^= 0x80
//		if x {
//			v[0] |= 0x80
//		}
//	}
func (f *field) flag(out *code) {
	at := jen.Id("v").Index(jen.Lit(f.Offset))
	mask := jen.Id(hex(0x80>>f.Bit, 1))
	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), jen.Return(at.Clone().Op("&").Add(mask.Clone()).Op("!=").Lit(0))))
	out.decl(f.setterDoc(f.ID), f.method("Set"+f.Name, jen.Id("x").Bool(), nil,
		at.Clone().Op("&^=").Add(mask.Clone()),
		jen.If(jen.Id("x")).Block(at.Clone().Op("|=").Add(mask))))
}

// wideBits writes a field across bytes, which goes through one integer with the
// first byte at its top:
//
//	func (v *Date) Year() uint16 { return binary.BigEndian.Uint16(v[0:2]) >> 4 }
//
//	func (v *Date) SetYear(x uint16) {
//		n := binary.BigEndian.Uint16(v[0:2])&0x000f | x&0x0fff<<4
//		binary.BigEndian.PutUint16(v[0:2], n)
//	}
//
// Where there is no integer of that many bytes they are put together by hand:
//
//	func (v *Date) Serial() uint32 { return (uint32(v[2])<<16 | uint32(v[3])<<8 | uint32(v[4])) & 0x07ffff }
//
//	func (v *Date) SetSerial(x uint32) {
//		n := (uint32(v[2])<<16|uint32(v[3])<<8|uint32(v[4]))&0xf80000 | x&0x07ffff
//		v[2] = byte(n >> 16)
//		v[3] = byte(n >> 8)
//		v[4] = byte(n)
//	}
func (f *field) wideBits(out *code, span int, what string) {
	w := bitWord{f, span, 16}
	for w.bits < 8*span {
		w.bits *= 2
	}

	name := fmt.Sprintf("uint%d", w.bits)
	shift := 8*span - f.Bit - f.Type.Width
	mask := uint64(1)<<(f.Type.Width-1)<<1 - 1
	keep := (uint64(1)<<(8*span-1)<<1 - 1) &^ (mask << shift)
	get := w.load(shift > 0 || f.Bit > 0)
	if shift > 0 {
		get = get.Op(">>").Lit(shift)
	}
	if f.Bit > 0 {
		get = get.Op("&").Id(hex(mask, span))
	}

	put := jen.Id("x")
	if f.Enum != nil || name != f.number() {
		get = f.goType().Parens(get)
		put = jen.Id(name).Parens(put)
	}

	out.decl(f.getterDoc(), f.method(f.Name, nil, f.goType(), jen.Return(get)))
	if f.bits() == f.Type.Width {
		what = f.ID
	} else {
		put = put.Op("&").Id(hex(mask, span))
	}

	if shift > 0 {
		put = put.Op("<<").Lit(shift)
	}
	if keep != 0 {
		put = w.load(true).Op("&").Id(hex(keep, span)).Op("|").Add(put)
	}
	body := append([]jen.Code{jen.Id("n").Op(":=").Add(put)}, w.store(jen.Id("n"))...)
	if keep == 0 && w.whole() {
		body = w.store(put)
	}
	out.decl(f.setterDoc(what), f.method("Set"+f.Name, jen.Id("x").Add(f.goType()), nil, body...))
}

// bitWord is the integer that holds the bytes of a bit field.
type bitWord struct {
	*field
	span int // bytes
	bits int // of the integer
}

// whole says whether the bytes fill the integer.
func (w bitWord) whole() bool { return 8*w.span == w.bits }

func (w bitWord) bytes() *jen.Statement {
	return jen.Id("v").Index(jen.Lit(w.Offset).Op(":").Lit(w.Offset + w.span))
}

// load is the integer's value:
//
//	binary.BigEndian.Uint16(v[0:2])
//	uint32(v[2])<<16 | uint32(v[3])<<8 | uint32(v[4])
//
// operand puts the last form in parentheses.
func (w bitWord) load(operand bool) *jen.Statement {
	if w.whole() {
		return jen.Qual("encoding/binary", "BigEndian").Dot(fmt.Sprintf("Uint%d", w.bits)).Call(w.bytes())
	}
	all := jen.Empty()
	for i := range w.span {
		if i > 0 {
			all = all.Op("|")
		}
		all = all.Id(fmt.Sprintf("uint%d", w.bits)).Parens(jen.Id("v").Index(jen.Lit(w.Offset + i)))
		if up := 8 * (w.span - 1 - i); up > 0 {
			all = all.Op("<<").Lit(up)
		}
	}
	if operand {
		return jen.Parens(all)
	}
	return all
}

// store are the statements that write an integer, a variable unless the bytes
// fill it:
//
//	binary.BigEndian.PutUint16(v[0:2], n)
//	v[2] = byte(n >> 16)
func (w bitWord) store(n *jen.Statement) (out []jen.Code) {
	if w.whole() {
		return []jen.Code{jen.Qual("encoding/binary", "BigEndian").Dot(fmt.Sprintf("PutUint%d", w.bits)).Call(w.bytes(), n)}
	}
	for i := range w.span {
		part := n.Clone()
		if up := 8 * (w.span - 1 - i); up > 0 {
			part = part.Op(">>").Lit(up)
		}
		out = append(out, jen.Id("v").Index(jen.Lit(w.Offset+i)).Op("=").Byte().Parens(part))
	}
	return out
}

// hex writes a mask with all digits of its bytes; Lit would print decimals.
func hex[T int | uint64](n T, bytes int) string { return fmt.Sprintf("0x%0*x", 2*bytes, n) }
