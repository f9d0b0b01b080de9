package tokens

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRecognizesFilesOfTokens(t *testing.T) {
	name := filepath.Join(t.TempDir(), "tokens.json")
	s, err := OpenFile(Config{Path: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetToken(t.Context(), keyOf("SN-1", "h1"), 7); err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]bool{
		string(ours):                               true,
		string(ours[:len(ours)/2]):                 true,
		`{"SN-1": {"token": 7, "git_hash": "h1"}}`: true, // the vendor's library
		"\n{ \"a\\\"b\" : {\"git_hash\": \"h1\"":   true,
		`{"version": 1, "devices": []}`:            false,
		`{"version": "1", "sessions": []}`:         false,
		`{"SN-1": {"name": "x", "token": 7}}`:      false,
		`[{"token": 7}]`:                           false,
		`{"v":1,"sink":"x","next":3}`:              false,
		"":                                         false,
	} {
		if got := Recognize([]byte(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
