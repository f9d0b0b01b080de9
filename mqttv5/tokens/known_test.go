package tokens

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Known names the devices of both kinds of file, the last one first, and changes nothing.
func TestKnownNamesTheLastDeviceFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if got := slices.Collect(Known(path)); len(got) != 0 {
		t.Errorf("no file: got %v, want none", got)
	}
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for i, serial := range []string{"SN-1", "SN-2"} {
		key := Key{Broker: "b:1", CustomerID: "1", ApplicationID: 7, DeviceSerial: serial, GitHash: "abc"}
		if err := s.SetToken(t.Context(), key, uint32(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := serialsOf(path); !slices.Equal(got, []string{"SN-2", "SN-1"}) {
		t.Errorf("got %q, want SN-2 and then SN-1", got)
	}
	for range Known(path) {
		break
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("got file %s, error %v, want it unchanged: %s", after, err, before)
	}

	library := filepath.Join(t.TempDir(), "session_tokens.json")
	if err := os.WriteFile(library, []byte(`{"LIB-1": {"token": 5, "git_hash": "abc"}, "LIB-2": {"token": 6, "git_hash": "def"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serialsOf(library); !slices.Equal(got, []string{"LIB-1", "LIB-2"}) {
		t.Errorf("the library's: got %q, want LIB-1 and then LIB-2", got)
	}
	if err := os.WriteFile(path, []byte("{damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serialsOf(path); len(got) != 0 {
		t.Errorf("damaged: got %q, want none", got)
	}
}

func serialsOf(path string) (serials []string) {
	for key := range Known(path) {
		serials = append(serials, key.DeviceSerial)
	}
	return serials
}
