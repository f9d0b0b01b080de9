package text

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// numCases is how many random calls are compared with a C library.
const numCases = 120_000

// printfCase is one printf call: the format, and arguments that its
// conversions take, as a device records them.
type printfCase struct {
	format    string
	signature string // one letter an argument: i int, l long long, d double, p pointer, s string
	args      []format.Arg
}

// cMain reads cases and writes what snprintf makes of them. A call must be
// written out for each sequence of argument types, which is what CALLS holds.
const cMain = `#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>
#define MAXARGS 3
static uint32_t u32(FILE *f) { unsigned char b[4]; if (fread(b, 1, 4, f) != 4) exit(3); return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24; }
static uint64_t u64(FILE *f) { uint64_t lo = u32(f); return lo | (uint64_t)u32(f) << 32; }
static char *text(FILE *f, char *s) { uint32_t n = u32(f); if (n >= 256 || fread(s, 1, n, f) != n) exit(4); s[n] = 0; return s; }
static char out[65536];
static int vi[MAXARGS]; static long long vl[MAXARGS]; static double vd[MAXARGS]; static void *vp[MAXARGS]; static char *vs[MAXARGS], texts[MAXARGS][256], f[256], g[256];
static int call(const char *f, const char *g) {
CALLS
  exit(5);
}
int main(int argc, char **argv) {
  FILE *in = fopen(IN, "rb"), *to = fopen(OUT, "wb");
  if (!in || !to) return 2;
  for (uint32_t n = u32(in); n > 0; n--) {
    text(in, f); text(in, g);
    for (int i = 0; g[i]; i++) switch (g[i]) {
      case 'i': vi[i] = (int)u32(in); break;
      case 'l': vl[i] = (long long)u64(in); break;
      case 'd': { uint64_t b = u64(in); memcpy(&vd[i], &b, 8); } break;
      case 'p': vp[i] = (void *)(uintptr_t)u32(in); break;
      case 's': vs[i] = text(in, texts[i]); break;
    }
    int k = call(f, g);
    if (k < 0 || k >= (int)sizeof out) k = 0;
    fputc(k & 255, to); fputc(k >> 8, to); fwrite(out, 1, k, to);
  }
  return fclose(to) == 0 ? 0 : 6;
}
`

// writeDriver writes the C program for cases in the file in.
func writeDriver(t *testing.T, path, in, out string) {
	t.Helper()
	var calls strings.Builder
	var add func(signature, args string)
	add = func(signature, args string) {
		fmt.Fprintf(&calls, "  if (!strcmp(g, %q)) return snprintf(out, sizeof out, f%s);\n", signature, args)
		if n := len(signature); n < 3 {
			for _, c := range "ildps" {
				add(signature+string(c), fmt.Sprintf("%s, v%c[%d]", args, c, n))
			}
		}
	}
	add("", "")
	source := fmt.Sprintf("#define IN %q\n#define OUT %q\n", in, out) + strings.Replace(cMain, "CALLS", calls.String(), 1)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCases writes the cases for the C program.
func writeCases(t *testing.T, path string, cases []printfCase) {
	t.Helper()
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(cases)))
	text := func(s string) {
		b = le.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}

	for _, c := range cases {
		text(c.format)
		text(c.signature)
		for i, a := range c.args {
			switch c.signature[i] {
			case 'i', 'p':
				b = le.AppendUint32(b, uint32(a.Uint()))
			case 'l':
				b = le.AppendUint64(b, a.Uint())
			case 'd':
				b = le.AppendUint64(b, math.Float64bits(a.Float()))
			case 's':
				text(string(a.Text()))
			}
		}
	}

	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// compare renders each case and compares it with the C library's output.
func compare(t *testing.T, library, outPath string, cases []printfCase) {
	t.Helper()
	out, err := os.ReadFile(outPath)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i, c := range cases {
		if len(out) < 2 {
			t.Fatalf("%s: got %d texts, want %d", library, i, len(cases))
		}
		n := int(out[0]) | int(out[1])<<8
		want := out[2 : 2+n]
		out = out[2+n:]
		got := ParseTemplate(c.format).Append(nil, recordOf(t, c.args...))
		if !bytes.Equal(got, want) {
			if wrong++; wrong <= 20 {
				t.Errorf("%q with %v: got %q, want %q as %s has it", c.format, describe(c.args), got, want, library)
			}
		}
	}

	if wrong > 0 {
		t.Errorf("got %d of %d texts that differ from those of %s, want none", wrong, len(cases), library)
	}
}

func describe(args []format.Arg) string {
	var b []byte
	for i := range args {
		b = append(appendMarked(b, &args[i], &outcome{}), ' ')
	}
	return string(b)
}

// recordOf returns the record of a call with these arguments.
func recordOf(t testing.TB, args ...format.Arg) format.Payload {
	t.Helper()
	r := format.Record{Level: format.LevelInfo, FmtAddr: 0x1000, Args: args}
	b, err := r.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := format.ParsePayload(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// needTool skips the test where a program is missing, and fails it in CI.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("got error %v, want %s to be installed in CI", err, name)
		}
		t.Skipf("%s is not installed", name)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: got error %v, want none:\n%s", name, err, out)
	}
}

// TestTextIsThatOfTheCLibrary compares random calls with the C library of this machine.
func TestTextIsThatOfTheCLibrary(t *testing.T) {
	needTool(t, "gcc")
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	source, program := filepath.Join(dir, "main.c"), filepath.Join(dir, "main")
	cases := randomCases(numCases, false)
	writeCases(t, in, cases)
	writeDriver(t, source, in, out)
	run(t, "gcc", "-w", "-O1", "-o", program, source)
	run(t, program)
	compare(t, "glibc", out, cases)
}

// randomCases makes n calls. The C libraries differ where the package doc says
// so; those calls are made for newlib only.
func randomCases(n int, newlib bool) []printfCase {
	r := rand.New(rand.NewPCG(1, 2))
	cases := make([]printfCase, n)
	for i := range cases {
		cases[i] = randomCase(r, newlib)
	}
	return cases
}

func randomCase(r *rand.Rand, newlib bool) (c printfCase) {
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString([]string{"", "a", "x=", "%%", "\x80 ", "100%% ", "\n"}[r.IntN(7)])
		own := c
		spec := randomConversion(r, &own, newlib)
		if len(own.args) > 3 {
			break
		}
		b.WriteString(spec)
		c = own
	}
	b.WriteString([]string{"", " end", "%%", "."}[r.IntN(4)])
	c.format = b.String()
	return c
}

// randomConversion returns a conversion and adds its arguments to c.
func randomConversion(r *rand.Rand, c *printfCase, newlib bool) string {
	add := func(letter string, a format.Arg) {
		c.signature += letter
		c.args = append(c.args[:len(c.args):len(c.args)], a)
	}

	verbs, sizes := "ddiuxXocspfFeEgGaA", []string{"", "", "", "h", "ll", "hh", "j"}
	if newlib {
		verbs, sizes = "ddiuxXocspfeEgG", sizes[:5]
	}
	verb := verbs[r.IntN(len(verbs))]
	flags := ""
	for _, f := range allowedFlags(verb, newlib) {
		if r.IntN(4) == 0 {
			flags += string(f)
		}
	}

	star := func(limit int) string {
		add("i", format.ArgI32(int32(r.IntN(limit)-limit/3)))
		return "*"
	}

	width, prec := "", ""
	switch r.IntN(6) {
	case 0, 1:
		width = fmt.Sprint(1 + r.IntN(30))
	case 2:
		width = star(40)
	}

	if verb != 'c' && verb != 'p' {
		switch r.IntN(6) {
		case 0, 1:
			prec = "." + fmt.Sprint(r.IntN(25))
		case 2:
			prec = "." + star(30)
		case 3:
			prec = "."
		}
	}

	size := ""
	switch verb {
	case 'd', 'i', 'u', 'x', 'X', 'o':
		size = sizes[r.IntN(len(sizes))]
		switch {
		case size == "ll" || size == "j":
			add("l", format.ArgI64(randomInt(r)))
		default:
			add("i", format.ArgI32(int32(randomInt(r))))
		}

	case 'c':
		add("i", format.ArgChar(byte(1+r.IntN(255))))
	case 's':
		add("s", format.ArgString(randomText(r)))
	case 'p':
		add("p", format.ArgPointer(uint32(randomInt(r))|1))
	default:
		f := randomFloat(r, verb, newlib)
		if strings.ContainsRune("gG", rune(verb)) && strings.ContainsRune(flags, '#') && !newlib {
			f = float64(1+r.IntN(8)) * math.Pow10(r.IntN(40)-20) // see the package doc
		}
		add("d", format.ArgDouble(f))
	}

	return "%" + flags + width + prec + size + string(verb)
}

// allowedFlags are the flags that the C standard, or newlib, gives a meaning.
func allowedFlags(verb byte, newlib bool) string {
	switch verb {
	case 'd', 'i':
		return "-+ 0"
	case 'u':
		return "-0"
	case 'c', 's', 'p':
		if newlib {
			return "-0"
		}
		return "-"
	}
	if verb == 'x' || verb == 'X' || verb == 'o' {
		return "-#0"
	}
	return "-+ #0"
}

func randomInt(r *rand.Rand) int64 {
	switch r.IntN(5) {
	case 0:
		return int64(r.IntN(20) - 10)
	case 1:
		edges := []int64{math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64, math.MaxInt16, math.MinInt8, 0}
		return edges[r.IntN(len(edges))] + int64(r.IntN(3)-1)
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

func randomText(r *rand.Rand) string {
	b := make([]byte, r.IntN(20))
	for i := range b {
		b[i] = byte(1 + r.IntN(255))
	}
	return string(b)
}

func randomFloat(r *rand.Rand, verb byte, newlib bool) float64 {
	sign := float64(1 - 2*r.IntN(2))
	switch r.IntN(8) {
	case 0:
		special := []float64{
			0, 1, 0.5, 1.5, 2.5, 9.5, 99.5, 0.1, 9.995, 999999.5, 1e15, 1e16, 1e22, 1e23, 123456, 100000,
			math.Inf(1), math.NaN(), math.MaxFloat64, 0x1p-1022,
		}
		return sign * special[r.IntN(len(special))]
	case 1:
		f := math.Float64frombits(r.Uint64())
		subnormal := math.Abs(f) < 0x1p-1022
		if math.IsNaN(f) || !newlib && subnormal && (verb == 'a' || verb == 'A') {
			return 1.25
		}
		return f
	case 2:
		return sign * math.Ldexp(r.Float64(), r.IntN(80)-40)
	case 3:
		return sign * float64(r.IntN(2000)) / 8 // ties
	}

	return sign * math.Round(r.Float64()*1e6) / 1e3
}
