package spec

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A bomb is refused at once, with few words.
func TestBombsAreRefusedAtOnce(t *testing.T) {
	edit := func(from, to string) string {
		if !strings.Contains(string(Source), from) {
			t.Fatalf("ulogger.ksy: got no %q, want it there", from)
		}
		return strings.Replace(string(Source), from, to, 1)
	}

	size, cond := "header.len_data", "not _io.eof"
	for name, src := range map[string]string{
		"size":      strings.Repeat("#", maxSource+1),
		"flow":      strings.Repeat("[", 1e5),
		"block":     strings.Repeat("- ", 1e5),
		"mapping":   strings.Repeat("{a: ", 5e4),
		"alias":     "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\n",
		"self":      "a: &a {b: *a}\n",
		"keys":      "meta:\n" + strings.Repeat("  k: 1\n", 3e4),
		"expr":      edit(size, strings.Repeat("(", 1e5)),
		"operators": edit(size, strings.Repeat("- ", 1e5)+"1"),
		"chain":     edit(size, "1"+strings.Repeat(" + 1", 5e4)),
		"members":   edit(size, "a"+strings.Repeat(".a", 1e5)),
		"nots":      edit(cond, strings.Repeat("not ", 5e4)+"true"),
		"cond":      edit(cond, strings.Repeat("true ? ", 3e4)),
		"id":        edit("id: log\n", "id: "+strings.Repeat("a", 1e5)+"\n"),
		"cycle":     largeSpec("types:\n", 6000, func(i int) string { return fmt.Sprintf("  t%d: {seq: [{id: x, type: t%d}]}\n", i, (i+1)%6000) }),
	} {
		err := timely(t, name, src)
		if err == nil {
			t.Errorf("%s: got no error, want one", name)
			continue
		}
		if len(err.Error()) > 21*400 {
			t.Errorf("%s: got %d characters of errors, want at most %d", name, len(err.Error()), 21*400)
		}
	}
}

// timely parses src, which takes a second or three with the race detector. Only what
// is far worse than quadratic in the file comes near the limit, on any machine.
func timely(t *testing.T, name, src string) error {
	t.Helper()
	start := time.Now()
	_, err := Parse("t.ksy", []byte(src))
	if took := time.Since(start); took > 5*time.Minute {
		t.Errorf("%s: got an answer to %d bytes after %v, want one within 5m", name, len(src), took)
	}
	return err
}

// largeSpec repeats an item behind a head until there are n of them or the file
// is as large as it may be.
func largeSpec(head string, n int, item func(i int) string) string {
	var b strings.Builder
	b.WriteString("meta: {id: t, endian: le}\ndoc: T.\ndoc-ref: none\n" + head)
	for i := range n {
		s := item(i)
		if b.Len()+len(s) > maxSource-100 {
			break
		}
		b.WriteString(s)
	}
	return b.String()
}

// Large files, good and bad, take no longer than their size warrants.
func TestLargeFilesTakeTimeInProportion(t *testing.T) {
	const (
		many = 1 << 20 // more than there is room for
		one  = "types:\n  a:\n    doc: A.\n    doc-ref: none\n    -manual: here.\n"
		num  = "    seq: [{id: n, type: u1, valid: {min: 0, max: 9}, doc: N.}, "
	)

	for name, c := range map[string]struct {
		src  string
		good bool
	}{
		"fields": {largeSpec(one+"    seq:\n", many, func(i int) string {
			return fmt.Sprintf("      - {id: x%d, type: u1, doc: X., valid: {max: x%d}}\n", i, max(i-1, 0))
		}), false},
		"one line": {largeSpec(one+num, many, func(i int) string {
			return fmt.Sprintf("{id: x%d, type: u1, doc: X., valid: {max: n}}, ", i)
		}) + "]\n", true},
		"choices": {largeSpec(one+"    seq: [{id: n, type: u4, doc: N., valid: {any-of: [", many, func(i int) string {
			return fmt.Sprintf("%d, ", i)
		}) + "]}}]\n", true},
		"cases": {largeSpec(one+num+"{id: x, doc: X., type: {switch-on: n, cases: {", many, func(i int) string {
			return fmt.Sprintf("%d: u1, ", i)
		}) + "}}}]\n", false},
		"names": {largeSpec(one+num+"]\nenums:\n  e:\n", many, func(i int) string {
			return fmt.Sprintf("    %d: n%d\n", i, i)
		}), true},
		"types": {largeSpec("types:\n", many, func(i int) string {
			return fmt.Sprintf("  t%d: {doc: T., doc-ref: none, seq: [{id: x, type: u%d, doc: X.}]}\n", i, i)
		}), false},
		"nested": {largeSpec("types:\n", 3000, func(i int) string {
			return fmt.Sprintf("  t%d: {doc: T., doc-ref: none, -manual: m, seq: [{id: x, type: %s, doc: X.}]}\n", i,
				[]string{fmt.Sprintf("t%d", i+1), "u1"}[i/2999])
		}), true},
		"instances": {largeSpec(one+num+"{id: x, size: i40, doc: X.}]\n    instances:\n      i0: {value: n, doc: I.}\n", 41, func(i int) string {
			return fmt.Sprintf("      i%d: {value: i%d | i%d, doc: I.}\n", i+1, i, i)
		}), true},
		"checksums": {largeSpec("types:\n", many, func(i int) string {
			return fmt.Sprintf("  t%d: {doc: T., doc-ref: none, -manual: m, seq: [{id: s, type: u1, doc: S.}, {id: x, size: 9, type: t%d, -checksum: {algorithm: xor8, field: s}, doc: X.}]}\n", i, i+1)
		}), false},
		"places": {largeSpec(one+num+"]\n    instances:\n", many, func(i int) string {
			return fmt.Sprintf("      i%d: {pos: %d, type: u1, doc: I.}\n", i, i+1)
		}), true},
	} {
		if err := timely(t, name, c.src); (err == nil) != c.good {
			text := "no error"
			if err != nil {
				text, _, _ = strings.Cut(err.Error(), "\n")
			}
			t.Errorf("%s, %d bytes: got %s, want no error: %v", name, len(c.src), text, c.good)
		}
	}
}
