package filesink

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// ErrNoSink means that a directory holds no file sink.
var ErrNoSink = fault.InClass(fault.ErrConfig, errors.New("it is no file sink: it holds neither an identity nor segments"))

// The file that makes a directory a sink begins so; 32 hexadecimal digits and a newline
// follow. A sink of version 1 has no file newest, unless it is just getting it.
const (
	identityHead  = "ulogkit file sink 2\nid "
	identityHead1 = "ulogkit file sink 1\nid "
)

// identity is what the file says.
type identity struct {
	id    string // "" for a sink that was made before there were identities
	noted bool   // there must be a file newest
}

func identityName(dir string) string { return filepath.Join(dir, "sink") }

// readIdentity returns the identity of the sink in a directory. Where there is no sink,
// it fails with ErrNoSink.
func readIdentity(dir string) (identity, error) {
	name := identityName(dir)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		l, err := survey(dir, identity{})
		if err == nil && len(l.all) == 0 {
			err = ErrNoSink
		}
		return identity{}, err
	}
	if err != nil {
		return identity{}, err
	}

	id, noted := strings.CutPrefix(string(b), identityHead)
	ok := noted
	if !noted {
		id, ok = strings.CutPrefix(string(b), identityHead1)
	}
	id = strings.TrimSuffix(id, "\n")
	if raw, err := hex.DecodeString(id); !ok || err != nil || len(raw) != 16 {
		return identity{}, fmt.Errorf("%s is not the identity of a file sink; it was changed, or belongs to something else. If this was a sink, delete the file: the sink then gets another identity, which no position fits", name)
	}
	return identity{id, noted}, nil
}

// usable returns the identity of a directory, empty if it has none and could be a sink,
// and what keeps it from being one: files of somebody else, or an identity that is none.
func usable(dir string) (identity, error) {
	id, err := readIdentity(dir)
	if errors.Is(err, ErrNoSink) {
		return identity{}, vacant(dir)
	}
	return id, err
}

// identify makes a usable directory with a file newest a sink, and one of an earlier
// version one of this.
func identify(dir string, id identity) (identity, error) {
	if id.noted {
		return id, nil
	}
	made := identity{id.id, true}
	if made.id == "" {
		raw := make([]byte, 16)
		rand.Read(raw) // never fails, by its documentation
		made.id = hex.EncodeToString(raw)
	}
	if err := durable.ReplaceFile(identityName(dir), []byte(identityHead+made.id+"\n"), 0o600); err != nil {
		return id, err
	}
	return made, nil
}

// vacant reports what in a directory is not of a sink that is being made.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	newest, err := readNewest(dir)
	begun := err == nil && newest == 0
	for _, e := range entries {
		// A crash leaves the lock, a temporary file or what is made before the identity,
		// an earlier version its quarantine, and a file system lost+found.
		name := e.Name()
		switch {
		case slices.Contains([]string{"lock", "quarantine", "lost+found"}, name), strings.HasPrefix(name, ".sink."):
		case name == "newest" && begun, strings.HasPrefix(name, ".newest."):
		default:
			return fmt.Errorf("it holds %q and no sink; name an empty directory, or one that does not exist", name)
		}
	}
	return nil
}
