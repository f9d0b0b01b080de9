package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const gatewayDir = root + "/mqttv5/gateway"

// The files that run a gateway, and its page, name flags that there are.
func TestGatewayFilesNameFlagsThatExist(t *testing.T) {
	for _, name := range []string{"ulogkit-gateway.service", "Containerfile", "README.md"} {
		b, err := os.ReadFile(filepath.Join(gatewayDir, name))
		if err != nil {
			t.Fatal(err)
		}
		flags := regexp.MustCompile(`--([a-z][a-z-]*)`).FindAllStringSubmatch(string(b), -1)
		if len(flags) < 4 {
			t.Errorf("%s: found %d flags, want at least 4", name, len(flags))
		}
		for _, m := range flags {
			known := false
			for _, cmd := range newRoot().Commands() {
				known = known || cmd.Flags().Lookup(m[1]) != nil && (cmd.Name() == "gateway" || name == "README.md")
			}
			if !known && m[1] != "from" && m[1] != "chown" { // of a Containerfile's own COPY
				t.Errorf("%s: got --%s, want only flags that there are", name, m[1])
			}
		}
	}
}

// systemd takes the unit, and finds it well locked up.
func TestGatewayUnitIsLockedUp(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("got error %v, want systemd-analyze to be installed in CI", err)
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
		t.Errorf("got error %v of systemd-analyze verify, want none, and no word of the unit in:\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", file).CombinedOutput()
	if err != nil {
		t.Errorf("got error %v of systemd-analyze security, want an exposure of at most 2.0:\n%s", err, out)
	}
}

// The walk of the gateway's page is run as it stands, except for its ports: through an
// outage and a kill everything that was accepted arrives.
func TestGatewayWalkLosesNothing(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	page, err := os.ReadFile(filepath.Join(gatewayDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -e\ntrap 'kill $gateway $cloud 2>/dev/null || true' EXIT\n"
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		script += b[1]
	}
	for _, address := range []string{"127.0.0.1:8883", "127.0.0.1:9101"} {
		if !strings.Contains(script, address) {
			t.Fatalf("got a walk without %s, want that in:\n%s", address, script)
		}
		script = strings.ReplaceAll(script, address, freeAddress(t))
	}

	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "GORACE="+race)
	cmd.WaitDelay = time.Minute
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // so that it ends what it has started
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("got error %v of the walk, want none:\n%s", err, out)
	}
	arrived := map[string]bool{}
	err = filepath.WalkDir(filepath.Join(dir, "cloud", "received"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		arrived[string(b)] = true
		return err
	})
	if err != nil || len(arrived) != 5 {
		t.Errorf("got %d logs arrived, error %v; want 5 and none\n%s", len(arrived), err, out)
	}
	if n := strings.Count(string(out), "waiting"); n < 8 {
		t.Errorf("got %d records that wait in the lists, want four twice or more\n%s", n, out)
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
