package spec

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func noPos(at int) Pos { return Pos{1, 1 + at} }

func TestExpressionsParseToTheirOwnForm(t *testing.T) {
	for src, want := range map[string]string{
		"1 + 2 * 3":                   "1 + (2 * 3)",
		"1 - 2 - 3":                   "(1 - 2) - 3",
		"a & 1 != 0":                  "(a & 1) != 0",
		"a | b ^ c & d << 1 + 2 % 3":  "a | (b ^ (c & (d << (1 + (2 % 3)))))",
		"not a and b or c":            "((not a) and b) or c",
		"not not a == 1":              "not (not (a == 1))",
		"a or b and not c":            "a or (b and (not c))",
		"- a.b + -1":                  "(-a.b) + (-1)",
		"- -1":                        "-(-1)",
		"a ? b : c ? 1 : 2":           "a ? b : (c ? 1 : 2)",
		"(a ? b : c) + 1":             "(a ? b : c) + 1",
		"x[_index].y._io.eof":         "x[_index].y._io.eof",
		"_io.size-_io.pos<8":          "(_io.size - _io.pos) < 8",
		"level::critical":             "level::critical",
		"0x1F + 0b101 + 0o17 + 1_000": "((0x1F + 0b101) + 0o17) + 1_000",
		"true==false":                 "true == false",
		" _ >\n 3 ":                   "_ > 3",
		"_index*2":                    "_index * 2",
		"not_a + notb":                "not_a + notb",
		"(((1)))":                     "1",
	} {
		e, bad := parseExpr(src, noPos)
		if bad != nil {
			t.Errorf("%q: got mistake %+v, want none", src, bad)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%q: %s, want %s", src, got, want)
		}
		again, bad := parseExpr(e.String(), noPos)
		if bad != nil || again.String() != want {
			t.Errorf("%q: got %v, mistake %+v when its own form is parsed, want %q and no mistake", src, again, bad, want)
		}
	}
}

func TestBadExpressionsAreRefusedAtTheirPlace(t *testing.T) {
	for src, at := range map[string]int{
		"": 0, " ": 1, "1 +": 3, "1 2": 2, "(1": 2, "1)": 1, "a.": 2, "a.1": 2, "a[1": 3, "a ? 1": 5, "$": 0, "a = 1": 2, "a == = 1": 5,
		"1 < 2 < 3": 6, "A": 0, "a::B": 3, "a::": 3, "01": 0, "0x": 0, "1__0": 0, "12ab": 0, "_io": 0, "_io.x": 4, "_root.a": 0, "__": 0,
		"not": 3, "and": 0, "1 and": 5, "1.5": 0, "'a'": 0, "a,b": 1, "~1": 0, "ö": 0, "a.ö": 2, "18446744073709551616": 0, "a.b()": 3,
	} {
		_, bad := parseExpr(src, noPos)
		if bad == nil || bad.at != at || strings.Contains(bad.reason, "\n") {
			t.Errorf("%q: %+v, want it at %d", src, bad, at)
		}
	}
}

func TestCallsParseToNameAndArguments(t *testing.T) {
	for src, want := range map[string]string{"a": "a []", "a(1)": "a [1]", "a_b(1, c + 2,d)": "a_b [1 c + 2 d]"} {
		name, args, bad := parseCall(src, noPos)
		if got := fmt.Sprint(name, " ", args); bad != nil || got != want {
			t.Errorf("%q: got %s, mistake %+v, want %s", src, got, bad, want)
		}
	}
	for _, src := range []string{"", "a(", "a()", "a(1", "a(1,)", "a(1) b", "a b", "1", "a::b", "A"} {
		if name, args, bad := parseCall(src, noPos); bad == nil {
			t.Errorf("%q: got %s %v, want a mistake", src, name, args)
		}
	}
}

func TestWalkVisitsEveryPartInOrder(t *testing.T) {
	e, bad := parseExpr("a ? x[_index] + -1 : b._io.size", noPos)
	if bad != nil {
		t.Fatalf("got mistake %+v, want none", bad)
	}
	var got []string
	Walk(e, func(e Expr) { got = append(got, fmt.Sprintf("%T", e)[len("*spec."):]) })
	want := "Cond FieldRef Binary Elem FieldRef Index Unary IntLit StreamProp FieldRef"
	if strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
	Walk(nil, func(Expr) { t.Error("no expression: got a call, want none") })
}

// The range of an operation holds every result and is no wider than it must be,
// by trying all small operands.
func TestRangeOfAnOperationHoldsEveryResult(t *testing.T) {
	operations := map[Op]func(x, y int64) int64{
		OpAdd: func(x, y int64) int64 { return x + y }, OpSub: func(x, y int64) int64 { return x - y },
		OpMul: func(x, y int64) int64 { return x * y }, OpDiv: func(x, y int64) int64 { return x / y },
		OpMod: func(x, y int64) int64 { return x % y }, OpAnd2: func(x, y int64) int64 { return x & y },
		OpOr2: func(x, y int64) int64 { return x | y }, OpXor: func(x, y int64) int64 { return x ^ y },
		OpShl: func(x, y int64) int64 { return x << y }, OpShr: func(x, y int64) int64 { return x >> y },
	}

	for op, f := range operations {
		exact := op != OpMod && op != OpAnd2 && op != OpOr2 && op != OpXor
		for a := int64(-4); a <= 6; a++ {
			for b := a; b <= 6; b++ {
				for c := int64(-3); c <= 5; c++ {
					for d := c; d <= 5; d++ {
						got, reason := combine(op, span{big.NewInt(a), big.NewInt(b)}, span{big.NewInt(c), big.NewInt(d)})
						if reason != "" {
							if a >= 0 && c > 0 {
								t.Fatalf("%d..%d %s %d..%d: got refused, %s, want a range", a, b, op, c, d, reason)
							}
							continue
						}
						lo, hi := f(a, c), f(a, c)
						for x := a; x <= b; x++ {
							for y := c; y <= d; y++ {
								lo, hi = min(lo, f(x, y)), max(hi, f(x, y))
							}
						}
						if got.lo.Int64() > lo || got.hi.Int64() < hi || exact && (got.lo.Int64() != lo || got.hi.Int64() != hi) {
							t.Fatalf("%d..%d %s %d..%d: %s, want %d to %d", a, b, op, c, d, got, lo, hi)
						}
					}
				}
			}
		}
	}
}

func TestUnsafeOperationsAreRefused(t *testing.T) {
	n := func(lo, hi string) span {
		l, _ := new(big.Int).SetString(lo, 0)
		h, _ := new(big.Int).SetString(hi, 0)
		return span{l, h}
	}

	for _, c := range []struct {
		op   Op
		x, y span
		ok   bool
	}{
		{OpAdd, n("0", "0x7ffffffffffffffe"), n("1", "1"), true},
		{OpAdd, n("0", "0x7fffffffffffffff"), n("1", "1"), false},
		{OpSub, n("-0x7fffffffffffffff", "0"), n("1", "1"), true},
		{OpSub, n("-0x8000000000000000", "0"), n("1", "1"), false},
		{OpMul, n("-0x80000000", "0"), n("0", "0x100000000"), true},
		{OpMul, n("-0x80000001", "0"), n("0", "0x100000000"), false},
		{OpShl, n("1", "1"), n("0", "62"), true},
		{OpShl, n("1", "1"), n("0", "63"), false},
		{OpShl, n("1", "1"), n("-1", "3"), false},
		{OpShr, n("-1", "1"), n("0", "1"), false},
		{OpDiv, n("0", "9"), n("0", "9"), false},
		{OpMod, n("-1", "9"), n("1", "9"), false},
		{OpXor, n("-1", "9"), n("1", "9"), false},
	} {
		if _, reason := combine(c.op, c.x, c.y); (reason == "") != c.ok {
			t.Errorf("%s %s %s: got reason %q, want it taken: %v", c.x, c.op, c.y, reason, c.ok)
		}
	}
}

func TestNearestFindsTheWordThatWasMeant(t *testing.T) {
	known := []string{"type", "size", "size-eos", "valid"}
	for word, want := range map[string]string{
		"tpye": "type", "typ": "type", "types": "type", "tyqe": "type", "siz": "size", "vlaid": "valid", "size-es": "size-eos",
		"type": "", "": "", "xtypex": "", "yt": "", "ty": "", strings.Repeat("t", 99): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
