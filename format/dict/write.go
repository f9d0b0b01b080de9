package dict

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A firmware can hold millions of strings: what follows writes each as it comes and
// keeps none.

// WriteJSON writes the dictionary as a file that Load reads: the ID, module
// names, strings and the lines of code that use them.
func (d *Dictionary) WriteJSON(w io.Writer) error {
	head, tail, err := d.jsonFrame()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	out.Write(head)

	var line []byte
	separator := "\n  "
	for addr, text := range d.Strings() {
		if line, err = appendString(append(line[:0], separator...), addr, text, d.Sources(addr)); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		separator = ",\n  "
	}

	if separator[0] == ',' {
		out.WriteString("\n ")
	}
	out.Write(tail)
	return out.Flush() // which also returns the error of an earlier write
}

// jsonFrame returns what stands before and after the strings.
func (d *Dictionary) jsonFrame() (head, tail []byte, err error) {
	file := dictionaryFile{Kind: fileKind, V: fileVersion, ID: d.ID, Strings: []fileString{}}
	for i, name := range d.modules {
		if name != "" {
			file.Modules = append(file.Modules, fileModule{uint8(i), name})
		}
	}
	whole, err := indented(file, "")
	if err != nil {
		return nil, nil, err
	}
	at := bytes.LastIndexByte(whole, ']') // of the empty list of strings
	return whole[:at], whole[at:], nil
}

// appendString appends an element of the list of strings.
func appendString(dst []byte, addr uint32, text string, sources []Source) ([]byte, error) {
	if len(sources) == 0 && isPlain(text) {
		// Most strings are so: the same as below, many times faster.
		dst = append(dst, "{\n   \"addr\": "...)
		dst = strconv.AppendUint(dst, uint64(addr), 10)
		dst = append(append(dst, ",\n   \"text\": \""...), text...)
		return append(dst, "\"\n  }"...), nil
	}
	s := fileString{Addr: addr, Sources: sources}
	if utf8.ValidString(text) {
		s.Text = text
	} else {
		s.Hex = hex.EncodeToString([]byte(text))
	}
	b, err := indented(s, "  ")
	return append(dst, bytes.TrimRight(b, "\n")...), err
}

// isPlain reports whether a text stands in JSON as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return text != ""
}

// indented is the JSON of a value, with a line end.
func indented(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, " ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// WriteCSV writes the strings, each with its address and the first line of code
// that uses it. Characters that a table cannot hold are escaped as in C.
func (d *Dictionary) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(csvHead); err != nil {
		return err
	}
	row := make([]string, len(csvHead))
	for addr, text := range d.Strings() {
		row[0], row[1], row[2] = "0x"+strconv.FormatUint(uint64(addr), 16), text, ""
		if !isPlain(text) {
			row[1] = escape(text)
		}
		if all := d.Sources(addr); len(all) > 0 {
			row[2] = all[0].String()
		}
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// IsDictionary reports whether a file that begins with these bytes is one that
// WriteJSON or WriteCSV began: its first few lines are enough.
func IsDictionary(start []byte) bool {
	first, _, _ := strings.Cut(string(start[:min(len(start), 64)]), ",\n")
	return first == "{\n \"kind\": \""+fileKind+"\"" || strings.HasPrefix(first, strings.Join(csvHead, ",")+"\n")
}

// Recognize reports whether a file that begins with these bytes is a dictionary, also
// one that another program has written anew, with other white space.
func Recognize(start []byte) bool {
	return IsDictionary(start) || regexp.MustCompile(`^\s*\{\s*"kind"\s*:\s*"`+fileKind+`"`).Match(start)
}

// escape writes control characters, backslashes and bytes that are not UTF-8
// as C does.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f || r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}
