package text

import (
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"pgregory.net/rapid"
)

func TestTemplateRendersLikePrintf(t *testing.T) {
	i32, u32, str := format.ArgI32, format.ArgU32, format.ArgString
	tests := []struct {
		format string
		args   []format.Arg
		want   string
	}{
		{"", nil, ""},
		{"100%", nil, "100%"},
		{"%y %n %5", nil, "%y  %5"},
		{"%l %h", nil, "%h"},
		{"%5%|%%", nil, "    %|%"},
		{"%'d", []format.Arg{i32(1234567)}, "1234567"},
		{"%d", []format.Arg{format.ArgU32(4294967295)}, "-1"},
		{"%u %x", []format.Arg{i32(-1), i32(-1)}, "4294967295 ffffffff"},
		{"%x", []format.Arg{format.ArgI64(-1)}, "ffffffff?"},
		{"%hhd %hu", []format.Arg{i32(0x1ff), u32(0x12345)}, "-1 9029"},
		{"%zu %td", []format.Arg{u32(4294967295), i32(-1)}, "4294967295 -1"},
		// A recorder that is right about long.
		{"%ld %s", []format.Arg{i32(-5), str("x")}, "-5 x"},
		{"%ld %s", []format.Arg{format.ArgI64(0x100000007), str("x")}, "<missing> <missing>"},
		{"%*d|%-*d|%.*f", []format.Arg{i32(4), i32(1), i32(4), i32(2), i32(1), format.ArgDouble(2.25)}, "   1|2   |2.2"},
		{"%*d|", []format.Arg{i32(-4), i32(1)}, "1   |"},
		{"%.*d", []format.Arg{i32(-3), i32(1)}, "1"},
		{"%*d", []format.Arg{i32(4)}, "<missing>"},
		{"%*d", []format.Arg{str("w"), i32(1)}, "<string w>1?"},
		{"%d", []format.Arg{str("abc")}, "<string abc>"},
		{"%s", []format.Arg{i32(-1)}, "<i32 -1>"},
		{"%f", []format.Arg{format.ArgPointer(16)}, "<pointer 0x10>"},
		{"%c", []format.Arg{format.ArgDouble(0.1)}, "<double 0.10000000000000001>"},
		{"%s|%s", []format.Arg{str("a"), format.ArgDropped()}, "a?|<missing>"},
		{
			"plain",
			[]format.Arg{i32(5), str("abc"), format.ArgDropped(), format.ArgChar(65), format.ArgU64(7)},
			"plain <i32 5> <string abc> <missing> <char 65> <u64 7>",
		},
		{"", []format.Arg{i32(5)}, "<i32 5>"},
		{"%p %5p", []format.Arg{format.ArgPointer(0), format.ArgPointer(1)}, "0x0   0x1"},
		{"%+p", []format.Arg{format.ArgPointer(1)}, "0x1"},
		{"%05s|%05c", []format.Arg{str("ab"), format.ArgChar('c')}, "000ab|0000c"},
		{"%a %a", []format.Arg{format.ArgDouble(5e-324), format.ArgDouble(0)}, "0x1p-1074 0x0p+0"},
		{"%#g", []format.Arg{format.ArgDouble(999999.5)}, "1.00000e+06"},
	}

	for _, tt := range tests {
		if got := ParseTemplate(tt.format).Append([]byte("> "), recordOf(t, tt.args...)); string(got[2:]) != tt.want {
			t.Errorf("%q with %s gives %q, want %q", tt.format, describe(tt.args), got[2:], tt.want)
		}
	}
}

// TestWidthIsBounded shows that a format cannot ask for more than it may.
func TestWidthIsBounded(t *testing.T) {
	for _, f := range []string{"%999999999999999999999d", "%.999999999d", "%-4096d", "%04095d"} {
		if got := ParseTemplate(f).Append(nil, recordOf(t, format.ArgI32(1))); len(got) != MaxWidth {
			t.Errorf("%q gives %d bytes, want %d", f, len(got), MaxWidth)
		}
	}
	huge := recordOf(t, format.ArgI32(-1<<31), format.ArgI32(1))
	if got := ParseTemplate("%*d").Append(nil, huge); len(got) != MaxWidth {
		t.Errorf("a width of -2^31 gives %d bytes, want %d", len(got), MaxWidth)
	}
}

func TestTemplateFitsOnlyItsArguments(t *testing.T) {
	i32, str := format.ArgI32(1), format.ArgString("s")
	nine := make([]format.Arg, 9)
	for i := range nine {
		nine[i] = i32
	}
	tests := []struct {
		format string
		args   []format.Arg
		want   bool
	}{
		{"plain", nil, true},
		{"plain", []format.Arg{i32}, false},
		{"%d", nil, false},
		{"%d", []format.Arg{i32}, true},
		{"%d", []format.Arg{format.ArgU32(1)}, true},
		{"%d", []format.Arg{format.ArgI64(1)}, false},
		{"%d", []format.Arg{str}, false},
		{"%lld", []format.Arg{i32}, false},
		{"%ld", []format.Arg{format.ArgI64(1)}, true},
		{"%d %d", []format.Arg{i32}, false},
		{"%hd", nil, true},
		{"%hd", []format.Arg{i32}, true},
		{"%d %hd", nil, false},
		{"%d %hd", []format.Arg{i32}, true},
		{"%d %d %hd", []format.Arg{i32}, false},
		{"%*d", []format.Arg{i32, i32}, true},
		{"%*d", []format.Arg{str, i32}, false},
		{strings.Repeat("%d", 9), nine, true},
		{strings.Repeat("%d", 9), nine[:7], false},
		{"%s", []format.Arg{format.ArgDropped()}, true},
		{"%f", []format.Arg{format.ArgDouble(1)}, true},
		{"%f", []format.Arg{i32}, false},
		{"%c", []format.Arg{format.ArgChar(1)}, true},
		{"%p", []format.Arg{format.ArgPointer(1)}, true},
		{"%p", []format.Arg{format.ArgI64(1)}, false},
	}

	for _, tt := range tests {
		if got := ParseTemplate(tt.format).Fits(recordOf(t, tt.args...)); got != tt.want {
			t.Errorf("%q with %s fits: %v, want %v", tt.format, describe(tt.args), got, tt.want)
		}
	}
}

// TestNoArgumentIsHidden holds for any format and arguments: each recorded argument
// is shown once, by a conversion or behind the text, and each conversion
// without one shows that.
func TestNoArgumentIsHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verbs := rapid.SliceOfN(rapid.SampledFrom([]string{"d", "5u", "s", "x", "c", "f", "08.3e", "p", "-9s"}), 1, 10).Draw(t, "verbs")
		texts := rapid.SliceOfN(rapid.StringMatching(`[A-Z]{3}`), 0, 8).Draw(t, "texts")
		var r format.Record
		for _, s := range texts {
			r.Args = append(r.Args, format.ArgString(s))
		}
		b, err := r.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}

		p, err := format.ParsePayload(b)
		if err != nil {
			t.Fatal(err)
		}
		got := string(ParseTemplate("%"+strings.Join(verbs, " %")).Append(nil, p))
		rest := got
		for _, s := range texts {
			i := strings.Index(rest, s)
			if i < 0 {
				t.Fatalf("got %q, want %q in it, after the arguments before", got, s)
			}
			rest = rest[i+len(s):]
		}

		if n := strings.Count(got, missing); n != max(0, len(verbs)-len(texts)) {
			t.Fatalf("%d conversions, %d arguments: got %d times %s in %q, want %d", len(verbs), len(texts), n, missing, got, max(0, len(verbs)-len(texts)))
		}
	})
}

// TestTextWithoutConversionsIsLiteral holds Parse to one definition of a literal text:
// what has no percent sign stays as it is.
func TestTextWithoutConversionsIsLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		text, ok := ParseTemplate(strings.ReplaceAll(s, "%", "%%")).Literal()
		if !ok || text != s {
			t.Fatalf("got %q, literal: %v; want %q, literal", text, ok, s)
		}
	})
}

// renderCases are what the allocation test renders; the benchmark in package
// bench has the first.
func renderCases(t testing.TB) map[string]format.Payload {
	i32, dbl := format.ArgI32, format.ArgDouble
	return map[string]format.Payload{
		"temp=%d rh=%d seq=%u":         recordOf(t, i32(-21), i32(45), format.ArgU32(123456)),
		"%s %-10s %.3s %c":             recordOf(t, format.ArgString("abc"), format.ArgString("left"), format.ArgString("truncate"), format.ArgChar('x')),
		"%f %.2f %e %g %a %.17g %.60f": recordOf(t, dbl(3.5), dbl(-1.005), dbl(12345.678), dbl(1e20), dbl(0.1), dbl(0.1), dbl(0.1)),
		"%f %f %.0f":                   recordOf(t, dbl(1e300), dbl(1e-300), dbl(0.5)),
		"%08x %#o %+d %20lld %p":       recordOf(t, i32(42), i32(8), i32(7), format.ArgI64(1<<62), format.ArgPointer(0x20001234)),
		"%d %s %*d":                    recordOf(t, i32(1)),
		"surplus":                      recordOf(t, i32(1), format.ArgString("s"), dbl(1.5)),
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 8192)
	for f, p := range renderCases(t) {
		template := ParseTemplate(f)
		if n := testing.AllocsPerRun(100, func() { buf = template.Append(buf[:0], p) }); n != 0 {
			t.Errorf("%q allocates %v times, want 0", f, n)
		}
	}
}
