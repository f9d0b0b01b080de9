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

// word is eight bytes of a slice: binary.LittleEndian.Uint64(b[8:16]).
func word(slice string, at int) *jen.Statement {
	return jen.Qual("encoding/binary", "LittleEndian").Dot("Uint64").Call(jen.Id(slice).Index(jen.Lit(at).Op(":").Lit(at + 8)))
}

// emitXOR8 writes the XOR of all bytes. Two accumulators and loads that are
// combined in pairs keep the processor's load ports busy, and more accumulators
// measured slower; 128 bytes a step amortise the loop.
//
//	func XOR8(b []byte) uint8 {
//		var a0, a1 uint64
//		for len(b) >= 128 {
//			a0 ^= binary.LittleEndian.Uint64(b[0:8]) ^ binary.LittleEndian.Uint64(b[8:16])
//			... // seven more
//			b = b[128:]
//		}
//		a := a0 ^ a1
//		for len(b) >= 8 {
//			a ^= binary.LittleEndian.Uint64(b[0:8])
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
	acc := func(i int) *jen.Statement { return jen.Id(fmt.Sprintf("a%d", i%2)) }

	out.decl([]string{"XOR8 returns the XOR of all bytes of b, the checksum xor8 of the spec. It cannot see bytes change places, nor the same bit flipped in two of them."},
		jen.Func().Id("XOR8").Params(b.Clone().Index().Byte()).Uint8().Block(
			jen.Var().List(acc(0), acc(1)).Uint64(),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(step)).BlockFunc(func(g *jen.Group) {
				for i := range step / 16 {
					g.Add(acc(i)).Op("^=").Add(word("b", 16*i)).Op("^").Add(word("b", 16*i+8))
				}
				g.Add(b.Clone()).Op("=").Add(b.Clone().Index(jen.Lit(step).Op(":")))
			}),
			a.Clone().Op(":=").Add(acc(0)).Op("^").Add(acc(1)),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(8)).Block(
				a.Clone().Op("^=").Add(word("b", 0)),
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

// emitSum32 writes the sum of all bytes, modulo 2^32. A word is added as four
// pairs of bytes in lanes of 16 bits. One word adds at most 2*255 to a lane, so
// a lane holds 128 words: a block of 1024 bytes, here shared by two accumulators,
// or what is left after the last block.
//
//	func Sum32(b []byte) uint32 {
//		var s uint32
//		for len(b) >= 1024 {
//			var a0, a1 uint64
//			for c := b[:1024]; len(c) >= 32; c = c[32:] {
//				a0 += addPairs(binary.LittleEndian.Uint64(c[0:8]))
//				a1 += addPairs(binary.LittleEndian.Uint64(c[8:16]))
//				a0 += addPairs(binary.LittleEndian.Uint64(c[16:24]))
//				a1 += addPairs(binary.LittleEndian.Uint64(c[24:32]))
//			}
//			s += addLanes(a0 + a1)
//			b = b[1024:]
//		}
//		var a uint64
//		for len(b) >= 8 {
//			a += addPairs(binary.LittleEndian.Uint64(b[0:8]))
//			b = b[8:]
//		}
//		s += addLanes(a)
//		for _, c := range b {
//			s += uint32(c)
//		}
//		return s
//	}
func emitSum32(out *code) {
	const block, step = 1024, 32
	a, b, c, s := jen.Id("a"), jen.Id("b"), jen.Id("c"), jen.Id("s")
	acc := func(i int) *jen.Statement { return jen.Id(fmt.Sprintf("a%d", i%2)) }
	from := func(slice *jen.Statement, n int) *jen.Statement { return slice.Clone().Index(jen.Lit(n).Op(":")) }
	pairs := func(slice string, at int) *jen.Statement { return jen.Id("addPairs").Call(word(slice, at)) }
	out.decl([]string{"Sum32 returns the sum of all bytes of b modulo 2 to the power of 32, the checksum sum32 of the spec. It cannot see bytes change places, nor changes that cancel out."},
		jen.Func().Id("Sum32").Params(b.Clone().Index().Byte()).Uint32().Block(
			jen.Var().Add(s.Clone()).Uint32(),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(block)).Block(
				jen.Var().List(acc(0), acc(1)).Uint64(),
				jen.For(
					c.Clone().Op(":=").Add(b.Clone().Index(jen.Op(":").Lit(block))),
					jen.Len(c.Clone()).Op(">=").Lit(step),
					c.Clone().Op("=").Add(from(c, step)),
				).BlockFunc(func(g *jen.Group) {
					for i := range step / 8 {
						g.Add(acc(i)).Op("+=").Add(pairs("c", 8*i))
					}
				}),
				s.Clone().Op("+=").Id("addLanes").Call(acc(0).Op("+").Add(acc(1))),
				b.Clone().Op("=").Add(from(b, block)),
			),
			jen.Var().Add(a.Clone()).Uint64(),
			jen.For(jen.Len(b.Clone()).Op(">=").Lit(8)).Block(
				a.Clone().Op("+=").Add(pairs("b", 0)),
				b.Clone().Op("=").Add(from(b, 8)),
			),
			s.Clone().Op("+=").Id("addLanes").Call(a),
			jen.For(jen.List(jen.Id("_"), c.Clone()).Op(":=").Range().Add(b.Clone())).Block(
				s.Clone().Op("+=").Uint32().Parens(c.Clone())),
			jen.Return(s.Clone()),
		))

	emitLanes(out)
}

// emitLanes writes the two steps of Sum32, each small enough to be inlined:
//
//	func addPairs(w uint64) uint64 { return w&0x00ff00ff00ff00ff + w>>8&0x00ff00ff00ff00ff }
//
//	func addLanes(a uint64) uint32 {
//		a = a&0x0000ffff0000ffff + a>>16&0x0000ffff0000ffff
//		return uint32(a) + uint32(a>>32)
//	}
func emitLanes(out *code) {
	// x&mask + x>>by&mask
	halves := func(x string, by int, mask string) *jen.Statement {
		return jen.Id(x).Op("&").Id(mask).Op("+").Id(x).Op(">>").Lit(by).Op("&").Id(mask)
	}
	out.decl([]string{"addPairs adds the bytes of w in pairs: four sums, each in 16 bits."},
		jen.Func().Id("addPairs").Params(jen.Id("w").Uint64()).Uint64().Add(
			inline(jen.Return(halves("w", 8, "0x00ff00ff00ff00ff")))))
	out.decl([]string{"addLanes adds the four numbers of 16 bits in a."},
		jen.Func().Id("addLanes").Params(jen.Id("a").Uint64()).Uint32().Block(
			jen.Id("a").Op("=").Add(halves("a", 16, "0x0000ffff0000ffff")),
			jen.Return(jen.Uint32().Parens(jen.Id("a")).Op("+").Uint32().Parens(jen.Id("a").Op(">>").Lit(32))),
		))
}
