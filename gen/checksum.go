package main

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

// goSum names the function for each algorithm, with the bits of its result.
var goSum = map[string]struct {
	name string
	bits int
}{
	"xor8":  {"XOR8", 8},
	"sum32": {"Sum32", 32},
}

// verify writes the two methods of a view with a checksum:
//
//	func (v LogV3) Verify() error {
//		if v.Header.Checksum() != uint16(XOR8(v.Data)) {
//			return errLogV3Checksum
//		}
//		return nil
//	}
//
//	func (v LogV3) Seal() { v.Header.SetChecksum(uint16(XOR8(v.Data))) }
func (v *view) verify(out *code) {
	f := v.checksum
	if f == nil {
		return
	}
	ref := f.Checksum.Field
	holder := ref.To.(*spec.Attr)
	algorithm := goSum[f.Checksum.Algorithm]
	sum := jen.Id(algorithm.name).Call(f.get())
	if holder.Type.Width*8 != algorithm.bits {
		sum = jen.Id(fmt.Sprintf("uint%d", holder.Type.Width*8)).Parens(sum)
	}
	out.decl([]string{fmt.Sprintf("Verify compares %s with the checksum of %s, and returns an *Error with ErrChecksum when they differ.", ref, f.ID)},
		jen.Func().Params(v.receiver()).Id("Verify").Params().Error().Block(
			jen.If(v.ref(ref).Op("!=").Add(sum.Clone())).Block(
				jen.Return(v.fail("Checksum", ref.String(), v.offset(ref), "ErrChecksum"))),
			jen.Return(jen.Nil())))
	seal := jen.Func().Params(v.receiver())
	set := v.ref(ref).Op("=").Add(sum.Clone())
	switch outer, nested := ref.X.(*spec.FieldRef); {
	case nested:
		set = v.ref(outer).Dot("Set" + v.plan.goName(ref.Name)).Call(sum)
	case v.fixed:
		set = jen.Id("v").Dot("Set" + v.plan.goName(ref.Name)).Call(sum)
	default: // the field is in the struct itself
		seal = jen.Func().Params(jen.Id("v").Op("*").Id(v.Name))
	}
	out.decl([]string{fmt.Sprintf("Seal writes the checksum of %s into %s.", f.ID, ref)},
		seal.Id("Seal").Params().Add(inline(set)))
}

// offset is where a field lies in the view, -1 when that is not fixed.
func (v *view) offset(ref *spec.FieldRef) int {
	at := ref.To.(*spec.Attr).Offset
	outer, nested := ref.X.(*spec.FieldRef)
	if !nested || at < 0 {
		return at
	}
	if base := v.offset(outer); base >= 0 {
		return base + at
	}
	return -1
}

func (p *plan) emitChecksums(file *jen.File) {
	out := &code{}
	for _, a := range p.algorithms {
		switch a {
		case "xor8":
			emitXOR8(out)
		case "sum32":
			emitSum32(out)
		}
	}
	for _, c := range *out {
		file.Add(c)
	}
}

// word is eight bytes of b from an offset on: binary.LittleEndian.Uint64(b[8:16]).
func word(at int) *jen.Statement {
	return jen.Qual("encoding/binary", "LittleEndian").Dot("Uint64").Call(jen.Id("b").Index(jen.Lit(at).Op(":").Lit(at + 8)))
}

// emitXOR8 writes the XOR of all bytes. Four accumulators and loads that are
// combined in pairs keep the processor's load ports busy; 128 bytes a step
// amortise the loop.
//
//	func XOR8(b []byte) uint8 {
//		var a0, a1, a2, a3 uint64
//		for len(b) >= 128 {
//			a0 ^= binary.LittleEndian.Uint64(b[0:8]) ^ binary.LittleEndian.Uint64(b[8:16])
//			... // seven more
//			b = b[128:]
//		}
//		a := a0 ^ a1 ^ a2 ^ a3
//		for len(b) >= 8 {
//			a ^= binary.LittleEndian.Uint64(b)
//			b = b[8:]
//		}
//		a ^= a >> 32
//		a ^= a >> 16
//		a ^= a >> 8
//		x := uint8(a)
//		for _, c := range b {
//			x ^= c
//		}
//		return x
//	}
func emitXOR8(out *code) {
	const step = 128
	b, a, x := jen.Id("b"), jen.Id("a"), jen.Id("x")
	acc := func(i int) *jen.Statement { return jen.Id(fmt.Sprintf("a%d", i%4)) }
	out.decl([]string{"XOR8 returns the XOR of all bytes of b, the checksum xor8 of the spec. It cannot see bytes change places, nor the same bit flipped in two of them."},
		jen.Func().Id("XOR8").Params(b.Clone().Index().Byte()).Uint8().Block(
			jen.Var().List(acc(0), acc(1), acc(2), acc(3)).Uint64(),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(step)).BlockFunc(func(g *jen.Group) {
				for i := range step / 16 {
					g.Add(acc(i)).Op("^=").Add(word(16 * i)).Op("^").Add(word(16*i + 8))
				}
				g.Add(b.Clone()).Op("=").Add(b.Clone().Index(jen.Lit(step).Op(":")))
			}),
			a.Clone().Op(":=").Add(acc(0)).Op("^").Add(acc(1)).Op("^").Add(acc(2)).Op("^").Add(acc(3)),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(8)).Block(
				a.Clone().Op("^=").Add(word(0)),
				b.Clone().Op("=").Add(b.Clone().Index(jen.Lit(8).Op(":"))),
			),
			a.Clone().Op("^=").Add(a.Clone()).Op(">>").Lit(32),
			a.Clone().Op("^=").Add(a.Clone()).Op(">>").Lit(16),
			a.Clone().Op("^=").Add(a.Clone()).Op(">>").Lit(8),
			x.Clone().Op(":=").Uint8().Parens(a.Clone()),
			jen.For(jen.List(jen.Id("_"), jen.Id("c")).Op(":=").Range().Add(b.Clone())).Block(x.Clone().Op("^=").Id("c")),
			jen.Return(x.Clone()),
		))
}

// emitSum32 writes the sum of all bytes, modulo 2^32.
//
//	func Sum32(b []byte) uint32 {
//		var s uint32
//		for _, c := range b {
//			s += uint32(c)
//		}
//		return s
//	}
func emitSum32(out *code) {
	b, s := jen.Id("b"), jen.Id("s")
	out.decl([]string{"Sum32 returns the sum of all bytes of b modulo 2 to the power of 32, the checksum sum32 of the spec."},
		jen.Func().Id("Sum32").Params(b.Clone().Index().Byte()).Uint32().Block(
			jen.Var().Add(s.Clone()).Uint32(),
			jen.For(jen.List(jen.Id("_"), jen.Id("c")).Op(":=").Range().Add(b.Clone())).Block(s.Clone().Op("+=").Uint32().Parens(jen.Id("c"))),
			jen.Return(s.Clone()),
		))
}
