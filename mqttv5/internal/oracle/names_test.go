package oracle

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// everyday are parameters that every call has, and for which a row of their own would
// say nothing.
var everyday = map[string]bool{
	"cfg": true, "store": true, "device_info": true, "device_serial": true, "app_id": true, "buf": true, "payload": true, "token": true,
	"callback": true, "metrics": true, "events": true, "devices": true, "timeout": true, "epoch_us": true,
}

// Who comes from Python finds every call of the library, and each option of one, in the
// table of the README, and beside it something that there is.
func testNames(t *testing.T, l *library) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Coming from Python")
	table, _, _ = strings.Cut(table, "\n## ")
	var names []string
	if l.call(t, request{Call: "names"}, &names); len(names) < 20 {
		t.Fatalf("got the names %q of the library, want 20 or more", names)
	}

	var theirs strings.Builder // the first column
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			theirs.WriteString(cells[1] + "\n")
		}
	}
	for _, name := range names {
		call, option, isOption := strings.Cut(strings.TrimSuffix(name, ")"), "(")
		if isOption && everyday[option] {
			continue
		}
		want := call
		if isOption {
			want = option
		}
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(want) + `\b`).MatchString(theirs.String()) {
			t.Errorf("got no %s in the table, want each call and option", name)
		}
	}

	for prefix, of := range map[string]reflect.Type{
		"Client": reflect.TypeFor[*mqttv5.Client](), "Outbox": reflect.TypeFor[*outbox.Outbox](),
		"FileStore": reflect.TypeFor[*mqttv5.FileStore](),
	} {
		found := regexp.MustCompile("`"+prefix+`\.([A-Z]\w+)`).FindAllStringSubmatch(table, -1)
		if len(found) == 0 {
			t.Errorf("got no method of %s in the table, want some", prefix)
		}
		for _, m := range found {
			if _, ok := of.MethodByName(m[1]); !ok {
				t.Errorf("%s.%s: got no such method, want those that the table names", prefix, m[1])
			}
		}
	}
}
