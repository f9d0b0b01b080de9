package gateway

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// A log configuration takes the place of an older one, and of nothing else (F31, F53).
func TestConfigReplacesOnlyConfigs(t *testing.T) {
	dir := t.TempDir()
	at := func(serial string) string { return filepath.Join(dir, serial+".json") }
	for name, content := range map[string]string{
		"mine": `{"serial":"mine","application":7,"level":"info","module_flags":1,"timeout_seconds":0}`, "empty": "",
		"other": `{"serial":"other","name":"kitchen"}`, "object": `{}`, "text": "precious", "victim": "victim",
	} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if err := os.Symlink("victim.json", at("link")); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{cfg: Config{ConfigDir: dir}}
	for serial, want := range map[string]bool{"new": true, "mine": true, "empty": true, "other": false, "object": false, "text": false, "link": false} {
		before, err := os.ReadFile(at(serial))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: got error %v, want none or %v", serial, err, fs.ErrNotExist)
		}
		err = g.handOn(t.Context(), logConfig{Serial: serial, Level: "debug"})
		if (err == nil) != want {
			t.Errorf("%s: got %v, want it written: %v", serial, err, want)
		}
		after, _ := os.ReadFile(at(serial))
		if want && !strings.Contains(string(after), `"level":"debug"`) || !want && string(after) != string(before) {
			t.Errorf("%s: got %q, want it written: %v", serial, after, want)
		}
	}

	if b, err := os.ReadFile(at("victim")); err != nil || string(b) != "victim" {
		t.Errorf("got %q, %v in the victim, want it as it was", b, err)
	}
}

// A child that the command leaves behind, with its output open, keeps no other
// configuration waiting: what the command said until then counts.
func TestChildOfACommandHoldsNothingUp(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	t.Setenv("PID", pid)
	g := &Gateway{cfg: Config{OnConfig: `sleep 20 & echo $! >"$PID"`}}
	err := g.handOn(t.Context(), logConfig{Serial: "SN-1", Level: "debug"})
	if !errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("got %v, want %v", err, exec.ErrWaitDelay)
	}

	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if child, err := os.FindProcess(n); err == nil {
		child.Kill() // or it has ended
	}
}

// A device is watched once, however many files name it.
func TestDeviceIsWatchedOnce(t *testing.T) {
	var watched []string
	g := &Gateway{cfg: Config{ConfigDir: t.TempDir()}, watched: map[device.Info]bool{}}
	g.watch = func(dev device.Info) { watched = append(watched, dev.DeviceSerial) }
	for _, serial := range []string{"SN-1", "SN-2", "SN-1", "SN-2"} {
		g.Watch(device.Info{ApplicationID: 7, DeviceSerial: serial})
	}
	if got := strings.Join(watched, " "); got != "SN-1 SN-2" {
		t.Errorf("watched %s, want SN-1 and SN-2 once each", got)
	}
}
