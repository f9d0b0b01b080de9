package localcloud

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// What somebody put into the folder is neither followed nor replaced (case
// delivery/extract-follows-symlink, F53), and what may hold a token is its owner's.
func TestReceivedFilesFollowNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, name := filepath.Join(dir, "victim"), filepath.Join(dir, "000008-log-7-SN-9.bin")
	if err := os.WriteFile(victim, []byte("victim"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{name, name + ".part"} {
		if err := os.Symlink("victim", link); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeFile(name, []byte("payload")); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got error %v, want one that names the link", err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "victim" {
		t.Errorf("got victim %q, %v, want it untouched", b, err)
	}

	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, []byte("payload")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "victim" {
		t.Errorf("got victim %q, %v, want it untouched", b, err)
	}
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
}

// The stand-in's own folders are no links to others (F53).
func TestFoldersAreNoLinks(t *testing.T) {
	for _, name := range []string{"received", "certs"} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		c, err := Start(t.Context(), Config{Dir: dir})
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), name+" is a symbolic link to "+elsewhere) {
			t.Errorf("%s: got %v, want %v about the link", name, err, fault.ErrStorage)
		}
		if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
			t.Errorf("%s: got %v, %v behind the link, want nothing", name, entries, err)
		}
	}
}

// A folder with certificates of one's own is not taken for the stand-in's (F31).
func TestCertificatesOfOthersStay(t *testing.T) {
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"ca.pem", "client.pem", "client.key"} {
		dir := t.TempDir()
		own := filepath.Join(dir, name)
		if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := filesIn(dir).write(a); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: got %v, want ErrForeign", name, err)
		}
		if b, err := os.ReadFile(own); err != nil || string(b) != "mine" {
			t.Errorf("%s: got %q, %v, want it as it was", name, b, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: got %v, %v in its folder, want it alone", name, entries, err)
		}
	}

	dir := t.TempDir()
	for range 2 {
		if err := filesIn(dir).write(a); err != nil {
			t.Fatal(err)
		}
	}
}
