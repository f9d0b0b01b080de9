package promises

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cases are the inputs that once were lost, destroyed or told wrongly; each is, or is
// made anew, in the test that names it.
var cases = strings.Fields(`
	broker-of-mqtt-3 config-quotes damaged-outbox-exit-0 disconnect-reason-lost export-picks-another-firmware
	extract-follows-symlink extract-modes firmware-lost-before-reply firmware-refused-is-network home-not-readable
	ingest-suback-count nats-error-escape nats-max-payload nobody-subscribed not-a-sink one-bad-file otlp-413-for-ever
	outbox-new-dir-not-synced outbox-shut-in-outage position-beyond-sink read-only-home same-name token-not-kept
	topic-three-segments torn-tail-forgotten
	dictionary-overwrites-firmware export-second-receiver-empty man-page-drops-words no-did-you-mean python-token-file
	tap-destroys-input text-no-subscriber wrong-firmware-fits`)

// faults is how many faults there are, F01 and so on.
const faults = 56

// Each fault and each case is named by the test that holds it, so that whoever reads of
// one finds what is done about it.
func TestEachFaultAndCaseIsNamed(t *testing.T) {
	var tests strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "promises") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") && filepath.Ext(path) != ".txtar" {
			return nil
		}
		b, err := os.ReadFile(path)
		tests.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	named := map[string]bool{}
	for _, f := range regexp.MustCompile(`(?:\b|Test)F\d\d(?:\b|[A-Z])`).FindAllString(tests.String(), -1) {
		named[strings.TrimPrefix(f, "Test")[:3]] = true
	}
	for n := range faults {
		if f := fmt.Sprintf("F%02d", n+1); !named[f] {
			t.Errorf("no test names the fault %s", f)
		}
	}
	for _, c := range cases {
		if !strings.Contains(tests.String(), c) {
			t.Errorf("no test names the case %s", c)
		}
	}
}
