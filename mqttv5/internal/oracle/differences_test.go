package oracle

import (
	"strconv"
	"testing"
)

// difference is one case in which ours does something else, and means to.
type difference struct {
	check, input string // which check it is of, and which of its inputs
	ours, theirs string
	reason       string
}

// differences are all that are meant. A case that is not in it must come out the
// same on both sides.
var differences = []difference{
	// A token is a number from 1 to 2^32-1: the field of the header holds no other,
	// and 0 is what a device writes that has none. The library cuts others to 32 bits.
	{"boot reply", `{"token":4294967296}`, "none", "4294967296", "it would be cut to 0, the token of nobody"},
	{"boot reply", `{"token":99999999999999999999}`, "none", "99999999999999999999", "it would be cut to another session's token"},
	{"boot reply", `{"token":-1}`, "none", "-1", "it would be cut to 4294967295, another session's token"},
	{"boot reply", `{"token":0}`, "none", "0", "a log with token 0 belongs to nobody"},
	{"boot reply", `{"token":-0}`, "none", "0", "a log with token 0 belongs to nobody"},
	{"boot reply", `{"token":0.5}`, "none", "0", "a log with token 0 belongs to nobody"},
	{"boot reply", `{"token":false}`, "none", "0", "a log with token 0 belongs to nobody"},
	{"boot reply", `{"token":true}`, "none", "1", "true is no number; the cloud means something else"},
	{"boot reply", `{"token":123.9}`, "none", "123", "nobody knows which whole number the cloud means"},
	{"boot reply", `{"token":" 5 "}`, "none", "5", "digits alone are a number; blanks are a sign of damage"},
	{"boot reply", `{"token":"+5"}`, "none", "5", "digits alone are a number"},
	{"boot reply", `{"token":"5_0"}`, "none", "50", "an underscore in numbers is Python's own"},
	{"boot reply", `{"token":5,"token":6}`, "none", "6", "who reads the first one takes another token than who reads the last"},

	{"boot reply", "{\"token\":5,\"x\":\"\xff\"}", "5", "none", "the token is read, whatever bytes another field holds"},

	{"retained boot reply", "5, then nothing", "none", "5", "what a broker kept is of some earlier time, and its token may be another session's"},

	// A layout that nobody has seen is not guessed; upload --as-is sends such a log.
	{"version of a log", "0", "false", "true", "no agent of version 0 is known, nor its layout"},
	{"version of a log", "2", "false", "true", "no agent of version 2 is known, nor its layout"},
	{"version of a log", "above 4", "false", "true", "the next version may have another layout, and a token at its place alone is sure"},

	{"upload", "serial silent", "false", "true", "without a token the cloud takes a log for nobody's; it waits instead"},
	{"upload", "empty dump", "false", "true", "there is nothing in it, and a device would be taken for crashed"},
	{"upload", "dump of noise", "false", "true", "what has not even the header of a dump is another file; one that is cut or damaged goes"},
	{"upload", "no certificate", "false", "true", "nothing goes in plain text unless it is told to, and to loopback"},

	{"serial", "#", "false", "5", "it would take the replies to all devices"},
	{"serial", "+", "false", "5", "it would take the replies to all devices"},
	{"serial", "a/b", "false", "77", "no serial is two levels of a topic: replies go by levels"},
	{"serial", "", "false", "77", "nobody could tell which device it is"},

	// Of a single device's report the library looks at nothing.
	{"report", "no metrics", "false", "true", "an empty report says nothing, and hides a mistake of its caller"},
	{"report", "no name", "false", "true", "nobody could ever find the value again"},
	{"report", "484,037 bytes", "false", "true", "AWS takes 131,072 bytes; more would end the connection, and all behind it"},

	// The library puts any text before its topics.
	{"prefix", "ulogger", "false", "true", "a prefix is whole levels, as a bridge has them: ulogger/"},
	{"prefix", "x-", "false", "true", "a prefix is whole levels, as a bridge has them"},
	{"prefix", "a#/", "false", "true", "no topic may hold a wildcard"},
	{"prefix", "boot/v0/", "false", "true", "nobody could tell where the prefix ends"},

	// A report is repeated only while the cloud says that it has not taken it.
	{"HTTP", "busy, then success", "true after POST, POST", "false after POST", "429 says that nothing was taken, and when to ask again"},
	{"HTTP", "failing, then good", "true after POST, POST", "false after POST", "a cloud that is down for a moment costs no report"},
	{"HTTP", "failing", "false after POST, POST", "false after POST", "a cloud that is down for a moment costs no report"},
	{"HTTP", "success no bool", "false after POST", "true after POST", "the cloud says true; nobody knows what it means by a text"},
	{"HTTP", "redirect 301", "false after POST", "true after POST, GET with the token", "the token goes nowhere else, and a GET delivers nothing"},

	{"log configuration", strconv.Quote(nine + `[true,null]`), `error 5 ["true" "null"] 10`, `error 5 ["True" "None"] 10`, "what is no name is shown as the cloud wrote it, not as Python does"},
	{"log configuration", strconv.Quote(nine + `[1e3]`), `error 5 ["1e3"] 10`, `error 5 ["1000.0"] 10`, "a number is shown as the cloud wrote it"},
	{"log configuration", strconv.Quote(`{"log_level":"ERROR","module_flags":5,"timeout_seconds":10}`), "error 5 [] 10", "info 676f6c22 [] 1986358367", "the library reads the letters of the JSON form as its nine bytes"},
	{"log configuration", strconv.Quote(`{"log_lev`), "none", "info 676f6c22 [] 1986358367", "a JSON form that was cut is no configuration; no device has level 123"},
}

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
			t.Errorf("%s, %s: got %s, and %s of the library, want %s and %s as in the table of differences", l.check, input, ours, theirs, d.ours, d.theirs)
		}
		return
	}
	if ours != theirs {
		t.Errorf("%s, %s: got %s, want %s as the library", l.check, input, ours, theirs)
	}
}

// done fails for each row that no case met: it says what is not so any more.
func (l *ledger) done(t *testing.T) {
	t.Helper()
	for _, d := range differences {
		switch {
		case d.check == l.check && !l.met[d.input]:
			t.Errorf("%s, %s: got no case for this row of the table of differences, want one", d.check, d.input)
		case d.ours == d.theirs || d.reason == "":
			t.Errorf("%s, %s: got %q, and %q of the library, for the reason %q; want a difference and a reason", d.check, d.input, d.ours, d.theirs, d.reason)
		}
	}
}
