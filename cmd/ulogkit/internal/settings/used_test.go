package settings

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a command uses is known by whoever names it, also by nobody.
func TestFilesAreAllThatAreUsed(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")

	ours, theirs := filepath.Join(home, ".local/state/ulogkit/session_tokens.json"), filepath.Join(home, ".ulogger/session_tokens.json")
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want []string
	}{
		"nobody":      {nil, nil, "", []string{ours, ours + ".lock", theirs, theirs + ".lock", "config"}},
		"a flag":      {[]string{"--store", "s", "--cert", "c", "--key", "k", "--ca", "a", "--device", "d"}, nil, "", []string{"s", "s.lock", "c", "k", "a", "d", "config"}},
		"environment": {nil, map[string]string{"ULOGKIT_STORE": "s", "SSL_CERT_FILE": "r", "SSL_CERT_DIR": "p" + string(filepath.ListSeparator) + "q"}, "", []string{"s", "s.lock", "r", "p", "q", "config"}},
		"a file":      {nil, nil, "store = /s\nkey = /k", []string{"/s", "/s.lock", "/k", "config"}},
		"none":        {[]string{"--store", "none"}, nil, "", []string{"config"}},
	} {
		s, _, err := load(t, c.args, c.env, c.file)
		if err != nil {
			t.Fatal(err)
		}

		var got []string
		for _, in := range s.Files() {
			if strings.HasSuffix(in.Name, filepath.Join(".config", "ulogkit", "config")) {
				in.Name = "config" // of a home folder of its own
			}
			if in.Name != "" {
				got = append(got, in.Name)
			}
			if in.Flag == "" {
				t.Errorf("%s: got %q without a name for people, want one", name, in.Name)
			}
		}

		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
