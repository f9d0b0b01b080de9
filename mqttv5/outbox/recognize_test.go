package outbox

import (
	"os"
	"path/filepath"
	"testing"
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
