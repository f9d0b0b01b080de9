// Package logtest makes logs for the tests of the packages above format.
package logtest

import (
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// Bytes returns a log of header version 3 with these records.
func Bytes(t testing.TB, records ...format.Record) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := b.Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}

	raw, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Log returns the same, parsed.
func Log(t testing.TB, records ...format.Record) format.Log {
	t.Helper()
	l, _, err := format.ParseLog(Bytes(t, records...))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
