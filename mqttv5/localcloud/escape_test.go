package localcloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a device, or who sends a crash dump in its name, calls itself, its file lies
// in the folder, and nothing else is made.
func TestReceivedFilesStayInTheirFolder(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "a", "received")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := newInbox(dir, 1<<20)
	serials := []string{"../../x", "..", ".", "/etc/x", `..\..\x`, "a/b", "", "a\x00b", "a\nb", strings.Repeat("../", 40), "%2e%2e/x", "\xff", "~", "-rf"}
	for _, kind := range []Kind{KindLog, KindCoreDump, KindText, KindMetrics} {
		for _, serial := range serials {
			r := &Received{Kind: kind, DeviceSerial: serial, Payload: []byte("x")}
			if err := b.add(r); err != nil {
				t.Errorf("%q: got error %v, want none", serial, err)
			}
			if filepath.Dir(r.File) != dir || strings.ContainsAny(filepath.Base(r.File), "\\\n\x00") {
				t.Errorf("%q: got the file %q, want one in the folder", serial, r.File)
			}
		}
	}

	for _, folder := range []string{outer, filepath.Dir(dir)} {
		if files, err := os.ReadDir(folder); err != nil || len(files) != 1 {
			t.Errorf("%s: got %v, %v, want one folder", folder, files, err)
		}
	}

	if files, err := os.ReadDir(dir); err != nil || len(files) != 4*len(serials) {
		t.Errorf("got %d files, %v, want %d", len(files), err, 4*len(serials))
	}
}
