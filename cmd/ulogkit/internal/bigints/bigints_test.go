package bigints

import (
	"errors"
	"strings"
	"testing"
)

// However the text is cut into writes, large integers alone get quotes.
func TestLargeIntegersAloneGetQuotes(t *testing.T) {
	const text = `{"a":9007199254740992,"b":9007199254740993,"c":-9007199254740993,"d":[18446744073709551615,1,true,false,null],` +
		`"e":12345678901234567.5,"f":12345678901234567e3,"g":"18446744073709551615 \" 18446744073709551615","h":{"18446744073709551615":0}}` + "\n"
	const want = `{"a":9007199254740992,"b":"9007199254740993","c":"-9007199254740993","d":["18446744073709551615",1,true,false,null],` +
		`"e":12345678901234567.5,"f":12345678901234567e3,"g":"18446744073709551615 \" 18446744073709551615","h":{"18446744073709551615":0}}` + "\n"
	for size := 1; size <= len(text); size++ {
		var b strings.Builder
		w := NewWriter(&b)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if written, err := w.Write([]byte(rest[:n])); written != n || err != nil {
				t.Fatalf("wrote %d, %v, want %d", written, err, n)
			}
			rest = rest[n:]
		}
		if b.String() != want {
			t.Fatalf("in writes of %d: got\n%swant\n%s", size, b.String(), want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("full")

func TestWriteErrorsAreReturned(t *testing.T) {
	if _, err := NewWriter(full{}).Write([]byte("{}")); !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
}
