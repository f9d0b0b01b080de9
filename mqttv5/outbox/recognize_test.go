package outbox

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
)

func TestRecognizesWhatItMakes(t *testing.T) {
	dir := t.TempDir()
	if RecognizeDir(dir) {
		t.Error("got an outbox in an empty folder, want none")
	}
	o, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	start, err := os.ReadFile(fileName(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !RecognizeDir(dir) || !Recognize(start[:20]) {
		t.Errorf("got folder %v, file %v, want both recognized", RecognizeDir(dir), Recognize(start[:20]))
	}
	for n := range 20 {
		if Recognize(start[:n]) {
			t.Errorf("got a file of an outbox by %d bytes, want 20 to be needed", n)
		}
	}

	// One whose file was lost is still an outbox, and names alone are none.
	if err := os.Remove(fileName(dir)); err != nil {
		t.Fatal(err)
	}
	if !RecognizeDir(dir) {
		t.Error("got no outbox where its file was lost, want one")
	}
	other := t.TempDir()
	if err := os.Mkdir(filepath.Join(other, filepath.Base(fileName(other))), 0o700); err != nil {
		t.Fatal(err)
	}
	if RecognizeDir(other) {
		t.Error("got an outbox by a folder of the file's name, want none")
	}
}

func TestHoldsItsOwnFolders(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s, err := OpenSubmitter(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SubmitLog(t.Context(), devicetest.Info(1), devicetest.Log(t, 1, 100)); err != nil {
		t.Fatal(err)
	}

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	folders := []string{dir}
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, filepath.Join(dir, e.Name()))
		}
	}
	if len(folders) < 2 {
		t.Fatalf("got %d folders, want one for what others put into the outbox, too", len(folders))
	}
	for _, folder := range folders {
		if !Holds(dir, folder) || !Holds(dir, folder+string(filepath.Separator)+".") {
			t.Errorf("%s: got no folder of the outbox, want one", folder)
		}
	}
	for _, folder := range []string{other, filepath.Join(dir, "none"), ""} {
		if Holds(dir, folder) {
			t.Errorf("%q: got a folder of the outbox, want none", folder)
		}
	}
}
