package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const gatewayDir = root + "/mqttv5/gateway"

// The files that run a gateway, and its page, name flags that there are.
func TestGatewayFilesNameFlags(t *testing.T) {
	for _, name := range []string{"ulogkit-gateway.service", "Containerfile", "README.md"} {
		b, err := os.ReadFile(filepath.Join(gatewayDir, name))
		if err != nil {
			t.Fatal(err)
		}
		flags := regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(string(b), -1)
		if len(flags) < 4 {
			t.Errorf("%s: found %d flags", name, len(flags))
		}
		for _, m := range flags {
			known := false
			for _, cmd := range newRoot().Commands() {
				known = known || cmd.Flags().Lookup(m[1]) != nil && (cmd.Name() == "gateway" || name == "README.md")
			}
			if !known && m[1] != "from" { // of a Containerfile's own COPY
				t.Errorf("%s: no flag --%s", name, m[1])
			}
		}
	}
}

// systemd takes the unit, and finds it well locked up.
func TestGatewayUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("systemd-analyze is missing")
		}
		t.Skip("systemd-analyze is missing")
	}
	b, err := os.ReadFile(filepath.Join(gatewayDir, "ulogkit-gateway.service"))
	if err != nil {
		t.Fatal(err)
	}
	// The program and its page are not installed where this runs.
	unit := strings.Replace(string(b), "/usr/bin/ulogkit", "/bin/true", 1)
	unit = regexp.MustCompile(`(?m)^Documentation=.*\n`).ReplaceAllString(unit, "")
	file := filepath.Join(t.TempDir(), "ulogkit-gateway.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", file).CombinedOutput(); err != nil || strings.Contains(string(out), file) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", file).CombinedOutput()
	if err != nil {
		t.Errorf("exposure above 2.0: %v\n%s", err, out)
	}
}
