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
	adjacent-regions alias-name bad-utf8-topic bigtcp-v4 boot-token-string bridge-0x84 broken-region-loses-all broker-of-mqtt-3 clock cloud-mqtt311
	cloud-refuses-311 cloud-strict-metrics cloud-unknown-topic compressed-debug compressed-debug-sections config-names config-quotes control-byte-in-format damaged-outbox-exit-0
	debug-only-elf decode-bidi-and-module-names dictionary-memory dictionary-overwrites-firmware disconnect-reason-lost dup-qos0
	export-picks-another-firmware export-second-receiver-empty extract-follows-symlink extract-modes firmware-lost-before-reply
	firmware-refused-is-network follow-blind-after-damage follow-rotation-race gap-in-log-topic-unnamed gopacket-311 home-not-readable
	http-midstream-beside-good ingest-suback-count inlined-name-line keepalive-midconn-port5000 log-v4 long-conversions m0-no-reason man-page-drops-words
	memory-closed-connections midconn-311-token3 midconn-311-zero mqtt31-silent nats-error-escape nats-max-payload ng-minor2 no-did-you-mean no-prefix
	nobody-subscribed not-a-sink null-call-flash-at-0 one-bad-file only-ssh otlp-413-for-ever outbox-new-dir-not-synced outbox-shut-in-outage
	pcap-cap-gt-len pcap-len0 pcpp851-ack-before-data position-beyond-sink proxy1-beside-good python-token-file read-only-home reboot-both-lower-longer
	recursion-count reorder-script right-firmware-refused-pointer-before-string rows-bom-blank-pretty rst-before-data rst-out-of-window same-name
	skipped-conversions sp-wrong-certain ssh-beside-good stack-overflow-marker store-concurrent store-vendor-file subscribe-flags0 tap-destroys-input
	task-stack-not-dumped terminal-injection text-no-subscriber token-not-kept topic-prefix-secret topic-three-segments torn-tail-forgotten trailing-bytes
	vxlan-beside-good websocket-beside-good wrong-firmware-fits wrong-firmware-silent`)

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
			t.Errorf("got no test that names the fault %s, want one", f)
		}
	}
	for _, c := range cases {
		if !strings.Contains(tests.String(), c) {
			t.Errorf("got no test that names the case %s, want one", c)
		}
	}
}
