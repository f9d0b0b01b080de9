package main

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable returns words of others, of servers, certificates and files, as a
// terminal can show them: what could steer it, or turn the direction of what
// follows, becomes a question mark. Lines and tabs stay.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
}

// shown returns the name of a file for a line of its own: whoever put it into a spool,
// or an archive, has chosen it.
func shown(name string) string {
	return strings.NewReplacer("\n", "?", "\t", "?").Replace(printable(name))
}

// printableWriter writes text to a terminal, for all commands: errors and warnings
// hold what others said and name fields, and no command needs to know where.
type printableWriter struct{ io.Writer }

// Write implements io.Writer.
func (w printableWriter) Write(b []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, asFlags(printable(string(b)))); err != nil {
		return 0, err
	}
	return len(b), nil
}
