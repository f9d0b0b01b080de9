package format

import (
	"bytes"
	"strings"
	"testing"
)

func TestRecognizeTellsContentFromItsBeginning(t *testing.T) {
	dump := append(make([]byte, CoreDumpHeaderSize), "cC\x03\x00rest"...)
	for _, c := range []struct {
		b    []byte
		want Content
	}{
		{nil, ContentUnknown},
		{[]byte("\x7fELF"), ContentELF},
		{[]byte("\x7fEL"), ContentUnknown},
		{[]byte{1}, ContentLog},
		{[]byte{3, 0, 0}, ContentLog},
		{[]byte{4}, ContentLog},
		{[]byte{2}, ContentUnknown},
		{[]byte("text"), ContentUnknown},
		{dump, ContentCoreDump},
		{dump[:RecognizeSize], ContentCoreDump},
		{dump[:RecognizeSize-1], ContentUnknown},
		{[]byte("cC\x03\x00"), ContentBareDump},
		{[]byte(" \r\n63430300"), ContentBareDump},
		{[]byte("63 43 03\n00 01"), ContentBareDump},
		{[]byte("63 43 03"), ContentUnknown},
		{[]byte(strings.Repeat(" ", RecognizeSize) + "63430300"), ContentUnknown},
		{append([]byte{1}, dump[1:]...), ContentCoreDump},
	} {
		if got := Recognize(c.b); got != c.want {
			t.Errorf("%.20q, %d bytes: got %v, want %v", c.b, len(c.b), got, c.want)
		}
		// What comes later changes nothing.
		if len(c.b) >= RecognizeSize {
			if got := Recognize(append(bytes.Clone(c.b), "\x7fELF"...)); got != c.want {
				t.Errorf("%.20q with more: got %v, want %v", c.b, got, c.want)
			}
		}
		if n := testing.AllocsPerRun(10, func() { Recognize(c.b) }); n > 1 { // the error about a version
			t.Errorf("%.20q: got %v allocations, want at most 1", c.b, n)
		}
	}

	if got := Content(99).String(); got != "unknown" || ContentLog.String() != "log" {
		t.Errorf("got %q and %q, want got \"unknown\" and ContentLog \"log\"", got, ContentLog)
	}
}
