package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxConfig is the longest configuration file that is read, in bytes.
const maxConfig = 1 << 20

// readFile reads a configuration file, which may be a pipe.
func readFile(name, home string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("configuration file %s is longer than %d bytes", name, maxConfig)
	}

	values, err := parseConfig(b)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}

	for key, value := range values {
		if !settable[key] || value == "" || key == "store" && value == NoStore {
			continue
		}
		if rest, ok := strings.CutPrefix(value, "~/"); ok && home != "" {
			values[key] = filepath.Join(home, rest)
		} else if ok {
			return nil, fmt.Errorf("%s: %s = %s: HOME is not set", name, key, value)
		} else if !filepath.IsAbs(value) {
			values[key] = filepath.Join(filepath.Dir(name), value)
		}
	}
	return values, nil
}

// lineError is what is wrong at a place of the file.
type lineError struct {
	line, column int // from 1; columns are characters, and 0 is the whole line
	err          error
}

// Error implements error.
func (e *lineError) Error() string {
	if e.column == 0 {
		return fmt.Sprintf("%d: %v", e.line, e.err)
	}
	return fmt.Sprintf("%d:%d: %v", e.line, e.column, e.err)
}

// parseConfig reads the content of a configuration file. A byte order mark, as
// editors of Windows write it, is skipped.
func parseConfig(b []byte) (map[string]string, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return nil, &lineError{1, 1, errors.New("the file is UTF-16; save it as UTF-8")}
	}
	values := map[string]string{}
	line := 0
	for text := range strings.Lines(string(b)) {
		line++
		if i := strings.IndexByte(strings.TrimSuffix(text, "\r\n"), '\r'); i >= 0 { // or a comment would go on to the end
			return nil, &lineError{line, 1 + utf8.RuneCountInString(text[:i]), errors.New("the line ends as on an old Mac; save the file with line feeds")}
		}
		begin := len(text) - len(strings.TrimLeft(text, blanks))
		if begin == len(text) || text[begin] == '#' {
			continue
		}

		key, rest, ok := strings.Cut(text, "=")
		key = strings.Trim(key, blanks)
		_, known := settable[key]
		_, twice := values[key]
		switch {
		case !ok:
			return nil, &lineError{line, 0, errors.New("not of the form \"name = value\"")}
		case !known:
			return nil, &lineError{line, 0, fmt.Errorf("there is no setting %.64q", key)}
		case twice:
			return nil, &lineError{line, 0, fmt.Errorf("%s is set a second time", key)}
		}

		value, offset, err := parseValue(rest)
		if i := strings.IndexFunc(value, unseen); err == nil && i >= 0 {
			r, _ := utf8.DecodeRuneInString(value[i:])
			offset, err = strings.Index(rest, value)+i, fmt.Errorf("the character %U cannot be seen; take it out", r)
		}
		if err != nil {
			return nil, &lineError{line, 1 + utf8.RuneCountInString(text[:len(text)-len(rest)+offset]), err}
		}
		values[key] = value
	}
	return values, nil
}

const blanks = " \t\r\n"

// unseen reports whether a character is one that nobody means, such as a no-break space
// of a web page: it would be part of a name.
func unseen(r rune) bool { return !unicode.IsPrint(r) && !strings.ContainsRune(blanks, r) }

// typographic are the quotes that text programs put in place of those of a keyboard.
const typographic = "\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"

// parseValue reads what stands behind the equals sign. With an error it returns the
// offset that it is about.
func parseValue(s string) (value string, offset int, err error) {
	begin := len(s) - len(strings.TrimLeft(s, blanks))
	text := s[begin:]
	if text == "" || text[0] == '#' && begin > 0 {
		return "", 0, nil
	}

	if quote := text[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(text[1:], quote)
		if end < 0 {
			return "", begin, fmt.Errorf("the quote %c is not closed", quote)
		}
		after := begin + end + 2
		rest := strings.TrimLeft(s[after:], blanks)
		if rest != "" && (rest[0] != '#' || len(rest) == len(s[after:])) {
			return "", after, fmt.Errorf("something follows the closing quote %c", quote)
		}
		return text[1 : 1+end], 0, nil
	}

	if r, _ := utf8.DecodeRuneInString(text); strings.ContainsRune(typographic, r) {
		return "", begin, fmt.Errorf("%c is no quote here; use \" or '", r)
	}
	for i := 1; i < len(text); i++ {
		if strings.IndexByte(blanks, text[i-1]) < 0 {
			continue
		}
		if text[i] == '#' {
			text = text[:i]
			break
		}
		if text[i] == ';' {
			return "", begin + i, errors.New("; begins no comment; use #, or quotes around a value that has it")
		}
	}

	text = strings.TrimRight(text, blanks)
	if last, n := utf8.DecodeLastRuneInString(text); strings.ContainsRune(typographic+"\"'", last) {
		return "", begin + len(text) - n, fmt.Errorf("%c ends a value that does not begin with it; put quotes around all of it or none", last)
	}
	return text, 0, nil
}

// quoted reports whether a value stands in quotes.
func quoted(s string) bool {
	return len(s) > 1 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
}
