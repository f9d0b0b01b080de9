package gateway

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log configuration takes the place of an older one, and of nothing else (F31, F53).
func TestConfigReplacesOnlyConfigs(t *testing.T) {
	dir := t.TempDir()
	at := func(serial string) string { return filepath.Join(dir, serial+".json") }
	for name, content := range map[string]string{
		"mine": `{"serial":"mine","application":7,"level":"info","module_flags":1,"timeout_seconds":0}`, "empty": "",
		"other": `{"serial":"other","name":"kitchen"}`, "text": "precious", "victim": "victim",
	} {
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("victim.json", at("link")); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{cfg: Config{ConfigDir: dir}}
	for serial, want := range map[string]bool{"new": true, "mine": true, "empty": true, "other": false, "text": false, "link": false} {
		before, err := os.ReadFile(at(serial))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
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
		t.Errorf("the victim holds %q, %v", b, err)
	}
}
