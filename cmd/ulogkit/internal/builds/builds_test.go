package builds_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/builds"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

const (
	hashA = "aaaaaaa1111111111111111111111111aaaaaaaa"
	hashB = "bbbbbbb2222222222222222222222222bbbbbbbb"
)

// twoBuilds writes two dictionaries and a file of tokens, of which 1 is of the second
// and 2 of a build that is not there.
func twoBuilds(t *testing.T) (dir, store string) {
	t.Helper()
	dir, store = t.TempDir(), filepath.Join(t.TempDir(), "tokens.json")
	for name, hash := range map[string]string{"1.json": hashA, "2.json": hashB} {
		dictionary := `{"kind": "ulogkit-dictionary", "v": 1, "git_hash": "` + hash + `", "version": "v1", "device_type": "lamp", "strings": [{"addr": 4096, "text": "` + name + `"}]}`
		if err := os.WriteFile(filepath.Join(dir, name), []byte(dictionary), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	file, err := tokens.OpenFile(tokens.Config{Path: store})
	if err != nil {
		t.Fatal(err)
	}
	for token, hash := range map[uint32]string{1: hashB, 2: "ccccccc"} {
		key := tokens.Key{Broker: "b:1", CustomerID: "7", ApplicationID: 42, DeviceSerial: hash, GitHash: hash}
		if err := file.SetToken(t.Context(), key, token); err != nil {
			t.Fatal(err)
		}
	}
	return dir, store
}

func TestTheBuildOfACommitIsTakenAlone(t *testing.T) {
	dir, _ := twoBuilds(t)
	for hash, want := range map[string]int{"": 2, hashA: 1, hashB[:9]: 1} {
		b, err := builds.Open(builds.Config{Paths: []string{dir}, GitHash: hash, Stderr: t.Output()})
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Dictionaries(); len(got) != want {
			t.Errorf("commit %q: got %d builds, want %d", hash, len(got), want)
		}
		if b.Issued() != nil {
			t.Errorf("commit %q: got builds by tokens without a token file, want none", hash)
		}
	}
	if _, err := builds.Open(builds.Config{Paths: []string{dir}, GitHash: "ddddddd", Stderr: t.Output()}); err == nil {
		t.Error("got no error for a commit of which no build is there, want one")
	}
}

func TestATokenTellsTheBuildItWasIssuedFor(t *testing.T) {
	dir, store := twoBuilds(t)
	var said strings.Builder
	b, err := builds.Open(builds.Config{Paths: []string{dir}, TokenFile: store, Stderr: &said})
	if err != nil {
		t.Fatal(err)
	}
	issued := b.Issued()
	for range 2 { // the second time as remembered
		d := issued(1)
		if d == nil {
			t.Fatal("got no build for token 1, want one")
		}
		if got, _ := d.Format(4096); got != "2.json" {
			t.Errorf("token 1: got %q, want 2.json", got)
		}
		for token := range uint32(20) {
			if d := issued(token + 2); d != nil {
				t.Errorf("token %d: got %v, want none", token+2, d)
			}
		}
	}

	// They are told once, and no more than ten by name.
	if said.Len() > 0 {
		t.Errorf("got %q at once, want nothing: nobody watches", &said)
	}
	b.TellUnknown()
	b.TellUnknown()
	if lines := strings.Split(strings.TrimSpace(said.String()), "\n"); len(lines) != 11 ||
		!strings.Contains(lines[0], `token 2 is of commit "ccccccc", of which no build is at hand`) ||
		!strings.Contains(lines[1], "token 3 is not known in ") || lines[10] != "more session tokens tell no build; they are not named" {
		t.Errorf("got %q, want ten tokens by name and a line for the others", lines)
	}
}
