package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// F53: the configuration of a stand-in replaces an older one, for its owner alone, and
// is never written through a link.
func TestCloudConfigIsNotWrittenThroughALink(t *testing.T) {
	dir := t.TempDir()
	cfg := localcloud.Config{Dir: dir, Plaintext: true}
	cloud, err := localcloud.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()

	name := filepath.Join(dir, cloudConfigName)
	if err := os.WriteFile(name, []byte(cloudConfigHead), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := writeCloudConfig(cloud, cfg); got != name || err != nil {
		t.Fatalf("got %q, %v, want %q", got, err, name)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 || info.Size() <= int64(len(cloudConfigHead)) {
		t.Errorf("got mode %v and %d bytes, %v, want the new file for its owner alone", info.Mode(), info.Size(), err)
	}

	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, name); err != nil {
		t.Skip(err)
	}
	if _, err := writeCloudConfig(cloud, cfg); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("got %v of a link to nothing, want a refusal", err)
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v for the target of the link, want %v: nothing was to be made there", err, fs.ErrNotExist)
	}
}
