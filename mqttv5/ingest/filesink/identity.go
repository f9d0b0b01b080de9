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

// identityHead begins the file that makes a directory a sink; 32 hexadecimal digits
// and a newline follow.
const identityHead = "ulogkit file sink 1\nid "

func identityName(dir string) string { return filepath.Join(dir, "sink") }

// readIdentity returns the identity of the sink in a directory; "" for one that was
// made before there were identities. Where there is no sink, it fails with ErrNoSink.
func readIdentity(dir string) (string, error) {
	name := identityName(dir)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		all, err := listSegments(dir)
		if err == nil && len(all) == 0 {
			err = ErrNoSink
		}
		return "", err
	}
	if err != nil {
		return "", err
	}

	id, ok := strings.CutPrefix(string(b), identityHead)
	id = strings.TrimSuffix(id, "\n")
	if raw, err := hex.DecodeString(id); !ok || err != nil || len(raw) != 16 {
		return "", fmt.Errorf("%s is not the identity of a file sink; it was changed, or belongs to something else", name)
	}
	return id, nil
}

// usable reports what keeps a directory from being a sink: files of somebody else, or
// an identity that is none.
func usable(dir string) error {
	_, err := readIdentity(dir)
	if errors.Is(err, ErrNoSink) {
		return vacant(dir)
	}
	return err
}

// identify makes a usable directory a sink, if it is none yet.
func identify(dir string) error {
	if _, err := os.Lstat(identityName(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails, by its documentation
	return durable.ReplaceFile(identityName(dir), []byte(identityHead+hex.EncodeToString(id)+"\n"), 0o600)
}

// vacant reports what in a directory is not of a sink that is being made.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// A crash leaves the lock or a temporary file, an earlier version its
		// quarantine, and a file system lost+found.
		if name := e.Name(); !slices.Contains([]string{"lock", "quarantine", "lost+found"}, name) && !strings.HasPrefix(name, ".sink.") {
			return fmt.Errorf("it holds %q and no sink; name an empty directory, or one that does not exist", name)
		}
	}
	return nil
}
