package spec

import (
	"regexp"
	"slices"
)

var (
	// idForm is Kaitai's form of an id, less doubled and trailing underscores,
	// which two ids could differ in without differing in Go.
	idForm = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	// pathForm is what stands in a path without quotes.
	pathForm = regexp.MustCompile(`^[-a-zA-Z0-9_:]{1,40}$`)
	// plainID is an id that says all: a register by its number, such as r0.
	plainID = regexp.MustCompile(`^[a-z][0-9]+$`)
	// lengthID is an id that by Kaitai's style guide holds a length or a count.
	lengthID = regexp.MustCompile(`^(len|num)(_|$)`)
	// builtin is the name of a built-in number type.
	builtin = regexp.MustCompile(`^(?:([us])([1248])|(f)([48]))(le|be)?$|^b([0-9]+)$`)
)

// keywords are words of the expression language, so no id may be one.
var keywords = map[string]bool{"and": true, "or": true, "not": true, "true": true, "false": true}

const maxID = 64

// nearest returns the candidate that is one slip of the finger away from word:
// a letter wrong, missing, added, or two exchanged; empty when there is none.
func nearest(word string, candidates []string) string {
	if len(word) > maxID {
		return ""
	}
	for _, c := range candidates {
		if slip(word, c) {
			return c
		}
	}
	return ""
}

// slip reports whether two names differ by one letter or by two that are swapped, as
// by a slip of the finger.
func slip(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch len(b) - len(a) {
	case 0:
		return len(a) > 0 && (a[1:] == b[1:] ||
			len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:])
	case 1:
		return a == b[1:]
	}
	return false
}

// ids lists the ids of nodes for a message, sorted.
func ids[T interface{ node() *Node }](nodes []T) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		if id := n.node().ID; id != "" {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
