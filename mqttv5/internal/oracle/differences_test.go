package oracle

import "testing"

// difference is one case in which ours does something else, and means to.
type difference struct {
	check, input string // which check it is of, and which of its inputs
	ours, theirs string
	reason       string
}

// differences are all that are meant. A case that is not in it must come out the
// same on both sides.
var differences = []difference{}

// ledger compares cases with the table and remembers which rows were met.
type ledger struct {
	check string
	met   map[string]bool
}

func newLedger(check string) *ledger { return &ledger{check, make(map[string]bool)} }

// compare fails when ours and theirs are not the same and no row says so, or when a
// row says something else.
func (l *ledger) compare(t *testing.T, input, ours, theirs string) {
	t.Helper()
	for _, d := range differences {
		if d.check != l.check || d.input != input {
			continue
		}
		l.met[input] = true
		if ours != d.ours || theirs != d.theirs {
			t.Errorf("%s, %s: ours %s, the library %s; the table of differences has %s and %s", l.check, input, ours, theirs, d.ours, d.theirs)
		}
		return
	}
	if ours != theirs {
		t.Errorf("%s, %s: ours %s, the library %s", l.check, input, ours, theirs)
	}
}

// done fails for each row that no case met: it says what is not so any more.
func (l *ledger) done(t *testing.T) {
	t.Helper()
	for _, d := range differences {
		switch {
		case d.check == l.check && !l.met[d.input]:
			t.Errorf("%s, %s: a row of the table of differences that no case met", d.check, d.input)
		case d.ours == d.theirs || d.reason == "":
			t.Errorf("%s, %s: no difference, or no reason for it", d.check, d.input)
		}
	}
}
