package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"
)

func (p *plan) emitEnums(file *jen.File) {
	for _, e := range p.enums {
		out := &code{}
		e.emit(p, out)
		for _, c := range *out {
			file.Add(c)
		}
	}
}

// emit writes the Go type of an enum:
//
//	// Level is the enum level.
//	type Level uint8
//
//	const (
//		LevelDebug Level = 0
//		...
//	)
//
//	func (e Level) String() string {
//		switch e {
//		case LevelDebug:
//			return "debug"
//		...
//		}
//		return "level(" + strconv.FormatUint(uint64(e), 10) + ")"
//	}
func (e *enum) emit(p *plan, out *code) {
	out.decl([]string{fmt.Sprintf("%s is the enum %s of the spec. Values without a name can occur where no bound excludes them.", e.Name, e.ID)},
		jen.Type().Id(e.Name).Id("uint"+strconv.Itoa(e.bits)))
	out.Add(jen.Const().DefsFunc(func(g *jen.Group) {
		for _, v := range e.Values {
			if v.Doc != "" {
				comment(g, 1, strings.Split(v.Doc, "\n\n")...)
			}
			g.Id(p.constant(v)).Id(e.Name).Op("=").Id(strconv.FormatUint(v.Value, 10))
		}
	}), jen.Line())
	out.decl([]string{fmt.Sprintf("String returns the name of e, or %s(N) for a value without one.", e.ID)},
		jen.Func().Params(jen.Id("e").Id(e.Name)).Id("String").Params().String().Block(
			jen.Switch(jen.Id("e")).BlockFunc(func(g *jen.Group) {
				for _, v := range e.Values {
					g.Case(jen.Id(p.constant(v))).Block(jen.Return(jen.Lit(v.ID)))
				}
			}),
			jen.Return(jen.Lit(e.ID+"(").Op("+").Qual("strconv", "FormatUint").Call(jen.Uint64().Parens(jen.Id("e")), jen.Lit(10)).Op("+").Lit(")")),
		))
}
