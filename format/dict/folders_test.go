package dict

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStoreFindsBuildsInFolders finds builds in folders, and ELF files without an
// extension.
func TestStoreFindsBuildsInFolders(t *testing.T) {
	dir := t.TempDir()
	b, err := os.ReadFile("testdata/anchors.elf")
	if err != nil {
		t.Fatal(err)
	}

	for name, b := range map[string][]byte{
		"v1/build/firmware": b, "v2/fw.elf": b, ".git/fw.elf": b, "v2/notes": []byte("no firmware"), "v2/fw.o": b,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	store, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	all, skipped, err := store.All()
	if err != nil || len(all) != 2 || len(skipped) != 0 {
		t.Errorf("got %v, skipped %v, error %v, want the firmware of v1 and that of v2", all, skipped, err)
	}
}
