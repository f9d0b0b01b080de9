package filesink

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

func TestRecognizesWhatItMakes(t *testing.T) {
	dir := t.TempDir()
	if RecognizeDir(dir) {
		t.Error("got a sink in an empty folder, want none")
	}
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), []ingest.Record{{Time: time.Unix(1, 0), Topic: "t", Kind: ingest.KindLog, Payload: []byte("p")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("got segments %q, error %v, want one", segments, err)
	}
	for _, name := range []string{segments[0], identityName(dir)} {
		start, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !Recognize(start) || Recognize(start[1:]) {
			t.Errorf("%s: got %v, and %v without its first byte, want true and false", filepath.Base(name), Recognize(start), Recognize(start[1:]))
		}
	}

	if !Recognize([]byte(identityHead1 + "00")) {
		t.Error("got an identity of version 1 not recognized, want it recognized")
	}

	// Older sinks have no identity, and new ones no segment yet.
	for _, lost := range []string{identityName(dir), segments[0]} {
		if !RecognizeDir(dir) {
			t.Errorf("got no sink before %s was lost, want one", filepath.Base(lost))
		}
		if err := os.Remove(lost); err != nil {
			t.Fatal(err)
		}
	}
}
