package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pos is a place in a spec file. Line and Col count from 1; Col is in runes.
type Pos struct{ Line, Col int }

// Compare orders positions as they stand in the file.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// Error is one thing wrong with a spec file.
type Error struct {
	File   string // as given to Parse
	Pos    Pos
	Path   string // where in the document, such as types.header_v1.seq[2].type
	Reason string // what is wrong and, where that helps, what to do
}

// Error formats e as file:line:col: path: reason.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Pos.Line, e.Pos.Col, e.Path, e.Reason)
}

// maxErrors caps what one Parse reports: who has twenty mistakes to mend runs
// it again anyway, and a hostile file must not make a page of each of its bytes.
const maxErrors = 20

// Errors are the mistakes in one file, in the order of the file.
type Errors []*Error

// Error formats each mistake on a line of its own.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single mistakes.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Err sorts es, drops repetitions, keeps the first 20 and returns the rest as
// one last line; it returns nil when es is empty.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	es = slices.Clone(es)
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Path, b.Path))
	})
	es = slices.CompactFunc(es, func(a, b *Error) bool { return *a == *b })
	if n := len(es) - maxErrors; n > 0 {
		last := *es[maxErrors]
		last.Reason = strconv.Itoa(n) + " more errors from here on"
		if n == 1 {
			last.Reason = "1 more error here"
		}
		es = append(es[:maxErrors:maxErrors], &last)
	}
	return es
}

// quote makes a piece of the file fit for a one-line message.
func quote(s string) string {
	const limit = 40
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// list joins names for a message: "a, b or c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
