package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ulogkit/ulogkit/format"
)

// transcripts is the environment variable that names the folder to which each
// program of a script also writes what it prints.
const transcripts = "ULOGKIT_TEST_TRANSCRIPTS"

// transcribed is main, and keeps what it prints.
func transcribed() {
	root := newRoot()
	if dir := os.Getenv(transcripts); dir != "" {
		root.SetOut(newTee(os.Stdout, dir, "stdout"))
		root.SetErr(newTee(os.Stderr, dir, "stderr"))
	}
	os.Exit(execute(root))
}

// tee also writes to a file. It has no errors of its own: a script may have run
// its program out of files and disk.
type tee struct {
	io.Writer
	file *os.File
}

// newTee begins the file with a line that says what printed the rest.
func newTee(w io.Writer, dir, stream string) tee {
	f, _ := os.CreateTemp(dir, stream)
	fmt.Fprintln(f, stream, strings.Join(os.Args[1:], " "))
	return tee{w, f}
}

func (t tee) Write(b []byte) (int, error) {
	t.file.Write(b)
	return t.Writer.Write(b)
}

// transcribe has the programs of a script transcribed, and at its end fails it if
// one of them has printed a secret.
func transcribe(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "ulogkit-transcripts-")
	if err != nil {
		return err
	}
	env.Setenv(transcripts, dir)
	env.Defer(func() {
		defer os.RemoveAll(dir)
		tokens, secrets, err := secretsIn(env.WorkDir)
		if err != nil {
			env.T().Fatal(err)
		}
		var found []string
		if err := eachTranscript(dir, func(text string) { found = append(found, leaks(text, tokens, secrets)...) }); err != nil {
			env.T().Fatal(err)
		}
		if len(found) > 0 {
			env.T().Fatal(strings.Join(found, "\n"))
		}
	})
	return nil
}

func eachTranscript(dir string, f func(text string)) error {
	files, err := os.ReadDir(dir)
	for _, file := range files {
		b, e := os.ReadFile(filepath.Join(dir, file.Name()))
		err = errors.Join(err, e)
		f(string(b))
	}
	return err
}

// tokenFields is how session tokens stand in the files of a store.
var tokenFields = regexp.MustCompile(`"token": *([1-9][0-9]*)`)

// firstLines are the first lines of what is between the lines of a PEM file or
// one of NATS credentials.
var firstLines = regexp.MustCompile(`(?m)^-----BEGIN .*\n(.+)$`)

// secretsIn returns the session tokens that a script's files hold, in decimal and
// hexadecimal, and the private keys and credentials.
func secretsIn(dir string) (tokens, keys []string, err error) {
	add := func(token uint32) {
		// A script's own small numbers would be found everywhere.
		if token >= 1_000_000 {
			tokens = append(tokens, fmt.Sprint(token), fmt.Sprintf("%08x", token))
		}
	}

	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		received := strings.Contains(filepath.Base(name), "-log-")
		if err != nil || !e.Type().IsRegular() || !received && !slices.Contains([]string{".json", ".key", ".creds"}, filepath.Ext(name)) {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}

		if l, _, err := format.ParseLog(b); received && err == nil {
			add(l.SessionToken())
		}
		for _, m := range tokenFields.FindAllSubmatch(b, -1) {
			var token uint32
			if _, err := fmt.Sscan(string(m[1]), &token); err == nil {
				add(token)
			}
		}

		for _, m := range firstLines.FindAllSubmatch(b, -1) {
			keys = append(keys, string(m[1]))
		}
		return nil
	})

	return tokens, keys, err
}

// tellers are the commands whose result is a session token, or has one, and asked
// is one that was told to show all.
var (
	tellers = regexp.MustCompile(`^stdout (register|token|inspect|demo)\b`)
	asked   = regexp.MustCompile(`^stdout capture .*--show-secrets\b`)
)

// leaks says which secrets a transcript shows: session tokens, keys, the canaries
// that scripts plant, and the query of a presigned address.
func leaks(transcript string, tokens, keys []string) (found []string) {
	who, text, _ := strings.Cut(transcript, "\n")
	if asked.MatchString(who) {
		return nil
	}
	if !tellers.MatchString(who) {
		words := strings.FieldsFunc(text, func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') })
		for _, token := range tokens {
			if slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(strings.TrimPrefix(word, "0x"), token) }) {
				found = append(found, fmt.Sprintf("%s: shows the session token %s", who, token))
			}
		}
	}
	for _, secret := range append([]string{"canary", "X-Signature"}, keys...) {
		for line := range strings.Lines(text) {
			if secret != "" && strings.Contains(line, secret) {
				found = append(found, fmt.Sprintf("%s: shows %s: %s", who, secret, line))
			}
		}
	}
	return found
}

func TestLeakedSecretsAreFound(t *testing.T) {
	tokens, keys := []string{"3854526160", "e5bfa6d0"}, []string{"MIGHAgEAMBMG"}
	for transcript, want := range map[string]int{
		"stdout upload a.bin\nall well\n":                     0,
		"stdout register\n3854526160\n":                       0,
		"stderr register\ntoken=3854526160\n":                 1,
		"stdout cloud\nlog of \"SN\" with 3854526160, good\n": 1,
		"stdout cloud\n0xE5BFA6D0\n":                          1,
		"stdout cloud\n13854526160\n":                         0,
		"stdout capture a.pcap\n3854526160\n":                 1,
		"stdout capture --show-secrets a.pcap\n3854526160\n":  0,
		"stderr capture --show-secrets a.pcap\n3854526160\n":  1,
		"stdout token a.bin\nMIGHAgEAMBMG\n":                  1,
		"stderr upload --key canary.key\nis no key\n":         0,
		"stderr upload\ncanaryPAYLOAD\n":                      1,
		"stderr upload\nhttps://h/f?X-Signature=1\nmore\n":    1,
	} {
		if found := leaks(transcript, tokens, keys); len(found) != want {
			t.Errorf("%q: got %q, want %d secrets", transcript, found, want)
		}
	}
}

func isTranscribed(ts *testscript.TestScript, _ bool, args []string) {
	there := false
	ts.Check(eachTranscript(ts.Getenv(transcripts), func(text string) {
		_, text, _ = strings.Cut(text, "\n")
		there = there || strings.Contains(text, args[0])
	}))
	if !there {
		ts.Fatalf("got no program that printed %q, want one", args[0])
	}
}

// writeCanary writes a good log whose text must not be shown.
func writeCanary(name string) error {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return err
	}
	if err := b.Add(&format.Record{Level: format.LevelInfo, FmtAddr: 1, Args: []format.Arg{format.ArgString("canaryPAYLOAD")}}); err != nil {
		return err
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		return err
	}
	return os.WriteFile(name, log, 0o644)
}
