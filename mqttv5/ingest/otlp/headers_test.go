package otlp

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Headers come from the environment, a file and arguments, and what comes later counts
// more.
func TestHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "headers")
	writeFile(t, file, "\ufeff# ours\r\n\r\n  x-b: file \r\nX-C: a: b\n")
	env := func(string) string { return "x-a=1%202, X-B=env,," }
	got, err := Headers(env, file, []string{"X-D:argument", "x-c: argument"})
	want := map[string]string{"X-A": "1 2", "X-B": "file", "X-C": "argument", "X-D": "argument"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// What is no header is refused, wherever it stands, and its value, which may be a
// password, is not shown. Nor can one header be made of two.
func TestHeadersThatAreNone(t *testing.T) {
	none := func(string) string { return "" }
	for _, bad := range []string{"canary", ": canary", "X Y: canary", "X: canary\x00", "X: canary\x7f", "X\x1b: canary", "X: canary\rY: 1"} {
		file := filepath.Join(t.TempDir(), "headers")
		writeFile(t, file, "# ours\n"+bad+"\n")
		for where, try := range map[string]func() error{
			"headers: " + file + ":2 is": func() error { _, err := Headers(none, file, nil); return err },
			"header is":                  func() error { _, err := Headers(none, "", []string{bad}); return err },
			environmentHeaders: func() error {
				_, err := Headers(func(string) string { return strings.Replace(bad, ":", "=", 1) }, "", nil)
				return err
			},
		} {
			err := try()
			if err == nil || !strings.HasPrefix(err.Error(), where) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%q: got %v, want an error that begins %q and shows no value", bad, err, where)
			}
		}
	}

	// A line that is too long to be read does not end the file before the rest.
	file := filepath.Join(t.TempDir(), "headers")
	writeFile(t, file, "X: 1\nY: "+strings.Repeat("canary", 20_000)+"\nZ: 3\n")
	if got, err := Headers(none, file, nil); err == nil || got != nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %d headers, %v, want an error", len(got), err)
	}
	if _, err := Headers(none, filepath.Join(t.TempDir(), "absent"), nil); !os.IsNotExist(unwrapped(err)) {
		t.Errorf("got %v, want that there is no file", err)
	}
}

func unwrapped(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}
