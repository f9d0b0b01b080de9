//go:build unix

package link

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// A broker closes the connection for a packet that is one byte too large (MQTT 5
// section 3.1.2.11.4), and one that is as large as it takes must be sent.
func TestPacketSizeIsToTheByte(t *testing.T) {
	for _, n := range []int{0, 1, 100, 118, 119, 120, 121, 127, 128, 16_000, 16_383, 16_384, 100_000} {
		m := &Message{Topic: "binlog/v0/7/42", Payload: make([]byte, n), ID: "0123456789abcdef-7", ContentType: "x"}
		size := m.Size()
		if wire := len(m.appendTo(nil, 1)); wire != size {
			t.Errorf("payload of %d bytes: got Size %d, want the %d bytes of the packet", n, size, wire)
		}
		for limit, want := range map[int]bool{size - 1: false, size: true, size + 1: true} {
			if err := m.CheckSize(1<<20, uint32(limit)); (err == nil) != want || err != nil && !errors.Is(err, fault.ErrTooLarge) {
				t.Errorf("packet of %d bytes, limit %d: got %v, want it sent: %v", size, limit, err, want)
			}
		}
		for limit, want := range map[int]bool{n - 1: false, n: true} {
			if err := m.CheckSize(limit, 0); (err == nil) != want {
				t.Errorf("payload of %d bytes, limit %d: got %v, want it sent: %v", n, limit, err, want)
			}
		}
	}
}

// A service may get its key through a group, but only from root: whoever else owns the
// file could give it to anybody.
func TestKeyThatItsGroupMayReadNeedsRoot(t *testing.T) {
	root := os.Getuid() == 0
	for _, c := range []struct {
		mode  os.FileMode
		owner int
		want  bool
	}{
		{0o600, 0, true},
		{0o400, 0, true},
		{0o640, 0, true},
		{0o440, 0, true},
		{0o660, 0, false},
		{0o644, 0, false},
		{0o604, 0, false},
		{0o600, 1234, true},
		{0o640, 1234, false},
		{0o440, 1234, false},
	} {
		if !root && c.owner == 0 {
			continue // cannot be made, and the one of this user is a stranger's
		}
		name := filepath.Join(t.TempDir(), "key")
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chmod(name, c.mode)); err != nil {
			t.Fatal(err)
		}

		if root {
			if err := os.Chown(name, c.owner, -1); err != nil {
				t.Fatal(err)
			}
		}

		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		err = checkKeyMode(fi)
		if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "others can read it") {
			t.Errorf("mode %o of user %d: got %v, want it used: %v", c.mode, c.owner, err, c.want)
		}
	}
}
