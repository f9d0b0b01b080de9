package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxExact is the largest integer up to which each one is a double.
const maxExact = 1 << 53

// maxWrong is how many numbers of a row are put right: it has fewer, but for those in
// its arguments, which are read apart.
const maxWrong = 16

// readRow reads a row. Programs that know no integers, such as jq, JavaScript and
// spreadsheets, write 1700000000 as 1.7e9 or 1700000000.0, and --json-strings puts
// quotes around those that they would round: a number that is an integer for sure is
// read as one.
func readRow(b []byte) (*row, error) {
	for n := 0; ; n++ {
		in := new(row)
		err := json.Unmarshal(b, in)
		wrong := (*json.UnmarshalTypeError)(nil)
		if !errors.As(err, &wrong) || n > maxWrong || wrong.Offset < 0 || wrong.Offset > int64(len(b)) {
			return in, err
		}
		before, after := b[:wrong.Offset], b[wrong.Offset:]
		at := bytes.LastIndexAny(before, ":,[ \t\r\n") + 1 // integers hold none of these
		written := string(before[at:])
		exact, e := wholeNumber(written)
		switch {
		case e != nil:
			return in, fmt.Errorf("%s: %w", wrong.Field, e)
		case exact == written:
			return in, err
		}
		b = append(append(bytes.Clone(before[:at]), exact...), after...)
	}
}

// wholeNumber returns a JSON number that is an integer, however it is written, as digits.
// What is no such number is returned as it is; an error says that a float may have been
// rounded, and no longer be the integer that it was made of.
func wholeNumber(s string) (string, error) {
	if n := len(s); n > 2 && s[0] == '"' && s[n-1] == '"' && strings.Trim(s[1:n-1], "-0123456789") == "" {
		return s[1 : n-1], nil
	}
	number, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	whole, fraction, _ := strings.Cut(number, ".")
	if len(whole)+1 >= len(s) || !json.Valid([]byte(s)) || strings.Trim(whole+fraction, "-0123456789") != "" {
		return s, nil
	}
	sign := ""
	if whole[0] == '-' {
		sign, whole = "-", whole[1:]
	}

	// The point goes to the right by the exponent, or to the left over zeros.
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	zeros := len(digits) - len(trimmed) - len(fraction)
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil || n > 2*maxRow || n < -2*maxRow {
			return s, nil // of no float
		}
		zeros += n
	}
	switch {
	case trimmed == "":
		return "0", nil
	case zeros < 0:
		return s, nil // it is no integer
	case len(trimmed)+zeros > len("9007199254740992"):
		return "", rounded(s)
	}
	digits = trimmed + strings.Repeat("0", zeros)
	if n, err := strconv.ParseUint(digits, 10, 64); err != nil || n > maxExact {
		return "", rounded(s)
	}
	return sign + digits, nil
}

func rounded(s string) error {
	return fmt.Errorf("%.40s was an integer, and is a float too large to tell which; use a program that keeps integers, or rows whose large integers are strings", s)
}
