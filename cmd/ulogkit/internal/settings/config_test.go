package settings

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// Quotes and comments mean what people think, or are refused with line and column
// (case delivery/config-quotes).
func TestConfigIsReadOrRefusedAtItsPlace(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"customer = \"42\"\nserial = 'SN-1'\ngit-hash = 3f2c9a1 # note\n": {"customer": "42", "serial": "SN-1", "git-hash": "3f2c9a1"},
		"\ufeffbroker = b\r\n\tcustomer=1\t# c\r\n":                       {"broker": "b", "customer": "1"},
		"serial = \"a # b\"  # c\nkey=''\ncert=#1.pem":                    {"serial": "a # b", "key": "", "cert": "#1.pem"},
		"serial = a#b\ncustomer = # none\ngroup =":                        {"serial": "a#b", "customer": "", "group": ""},
		"serial = a;b\ncustomer = \"4 ; 2\"\ngroup = a\u2019b":            {"serial": "a;b", "customer": "4 ; 2", "group": "a\u2019b"},
		"serial = it's\ncustomer = \"it's\"\ngroup = ' '":                 {"serial": "it's", "customer": "it's", "group": " "},
		"# only\n\n   # this\n":                                           {},
		"":                                                                {},
		"broker = a=b\n":                                                  {"broker": "a=b"},
		"group = M\u00fcller # no\u00a0break\n":                           {"group": "M\u00fcller"},
	} {
		got, err := parseConfig([]byte(text))
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}

	for text, want := range map[string]string{
		"serial = \"SN-1":               "1:10: the quote \" is not closed",
		"\ncustomer = \"4\" 2":          "2:15: something follows the closing quote \"",
		"customer = '4'2":               "1:15: something follows the closing quote '",
		"customer = '4'#c":              "1:15: something follows the closing quote '",
		"customer = 1\n  brocker = 2":   "2: there is no setting \"brocker\"",
		"\xc3\xa9 = 1":                  "1: there is no setting \"\u00e9\"",
		"customer = 1\ncustomer = 2":    "2: customer is set a second time",
		"customer":                      "1: not of the form \"name = value\"",
		"\ncustomer = 42 ; mine":        "2:15: ; begins no comment; use #, or quotes around a value that has it",
		"serial = \u201cSN-1\u201d":     "1:10: \u201c is no quote here; use \" or '",
		"\xff\xfec\x00":                 "1:1: the file is UTF-16; save it as UTF-8",
		"customer = 42\"":               "1:14: \" ends a value that does not begin with it; put quotes around all of it or none",
		"serial = \u00fc\u201d # c":     "1:11: \u201d ends a value that does not begin with it; put quotes around all of it or none",
		"group =\u00a01":                "1:8: the character U+00A0 cannot be seen; take it out",
		"group = \"\u00fc1\u200b\" # c": "1:12: the character U+200B cannot be seen; take it out",
		"group = a\x00b":                "1:10: the character U+0000 cannot be seen; take it out",
		"# c\rcustomer = 1\r":           "1:4: the line ends as on an old Mac; save the file with line feeds",
		"customer = 1\rgroup = 2\r\n":   "1:13: the line ends as on an old Mac; save the file with line feeds",
		strings.Repeat("x", 99) + "=":   "1: there is no setting \"" + strings.Repeat("x", 64) + "\"",
	} {
		if got, err := parseConfig([]byte(text)); err == nil || err.Error() != want || got != nil {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
}

// A file that never ends is none, and is not read to its end.
func TestConfigHasABound(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config")
	for size, want := range map[int]bool{maxConfig: true, maxConfig + 1: false} {
		if err := os.WriteFile(name, []byte("#"+strings.Repeat("x", size-1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readFile(name, ""); (err == nil) != want {
			t.Errorf("%d bytes: got %v, want it read: %v", size, err, want)
		}
	}
	if _, err := os.Stat("/dev/zero"); err == nil {
		if _, err := readFile("/dev/zero", ""); err == nil || !strings.Contains(err.Error(), "is longer than") {
			t.Errorf("got %v, want it refused", err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, s := range []string{"customer = \"42\" # c\n", "\ufeffserial='a'\r\n", "key = \"open", "# c", "=\n", "cert=#\x00", "\xff\xfe", "customer = 1\ncustomer = 2\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := parseConfig(b)
		at := (*lineError)(nil)
		if err != nil && (!errors.As(err, &at) || at.line < 1 || at.column < 0 || at.line > 1+strings.Count(string(b), "\n") || values != nil) {
			t.Fatalf("%q: got %q, error %v; want no values, and an error at a place of the file", b, values, err)
		}
		for key, value := range values {
			if _, ok := settable[key]; !ok || strings.ContainsAny(value, "\n") {
				t.Fatalf("%q: got %q = %q, want a setting that there is, and one line", b, key, value)
			}
			// What a value says in quotes it says again.
			if !strings.ContainsAny(value, "\"\r") && utf8.ValidString(value) {
				again, err := parseConfig([]byte(key + " = \"" + value + "\""))
				if err != nil || again[key] != value {
					t.Fatalf("%q in quotes: got %q, error %v; want it as it is", value, again, err)
				}
			}
		}
	})
}

func TestQuotesOfTheEnvironmentAreRefused(t *testing.T) {
	for _, value := range []string{`"42"`, `'42'`} {
		_, _, err := load(t, nil, map[string]string{"ULOGKIT_CUSTOMER": value}, "")
		if err == nil || !strings.Contains(err.Error(), "ULOGKIT_CUSTOMER: "+value+" has quotes that are part of it") {
			t.Errorf("%s: got %v, want an error that says %q", value, err, "ULOGKIT_CUSTOMER: "+value+" has quotes that are part of it")
		}
	}
}

func TestGitHashesAreHexadecimal(t *testing.T) {
	for hash, good := range map[string]bool{
		"3f2c9a1": true, "3F2C9A1": true, "3f2c9a1-dirty": true, "0": true, "3f2c9a1 # note": false, "'3f2c9a1'": false, "main": false, "3f2c9a1 ": false,
	} {
		s, flags, err := load(t, []string{"--application", "1", "--serial", "S", "--device-type", "d", "--git-hash", hash}, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Device(flags); (err == nil) != good {
			t.Errorf("%q: got error %v, want none: %v", hash, err, good)
		}
		if _, err := s.Firmware(flags); (err == nil) != good {
			t.Errorf("%q of firmware: got error %v, want none: %v", hash, err, good)
		}
	}
}

// loadAt loads with a home folder and returns what is noticed.
func loadAt(t *testing.T, home string, args ...string) (s *Settings, notices []error, err error) {
	t.Helper()
	s = new(Settings)
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s.AddConnectionFlags(flags)
	s.AddDeviceFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	err = s.Load(flags, func(name string) string { return map[string]string{"HOME": home}[name] }, func(err error) { notices = append(notices, err) })
	return s, notices, err
}

// A file that nobody named and that cannot be read is told and left out (case
// delivery/home-not-readable).
func TestUnreadableHomeIsToldAndLeftOut(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "ulogkit")
	if err := os.MkdirAll(filepath.Join(dir, "config"), 0o755); err != nil { // a folder cannot be read as a file, even by root
		t.Fatal(err)
	}
	_, notices, err := loadAt(t, home, "--customer", "1")
	if err != nil || len(notices) != 1 || !strings.Contains(notices[0].Error(), "it is left out") {
		t.Errorf("got error %v, notices %v; want no error, and one notice that the file is left out", err, notices)
	}

	if _, _, err := loadAt(t, home, "--config", filepath.Join(dir, "config")); err == nil {
		t.Error("got no error of a file that was named and cannot be read, want one")
	}
	if _, notices, err := loadAt(t, "", "--customer", "1"); err != nil || notices != nil {
		t.Errorf("without HOME: got error %v, notices %v; want neither", err, notices)
	}

	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		return
	}
	if err := os.Chmod(home, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(home, 0o700)
	if _, notices, err = loadAt(t, home); err != nil || len(notices) != 1 || !errors.Is(notices[0], fs.ErrPermission) {
		t.Errorf("got %v, notices %v, want len(notices) 1 and notices[0] %v", err, notices, fs.ErrPermission)
	}
}

// recorder counts what is logged.
type recorder struct{ strings.Builder }

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

// Where no token can be kept it is told, and the run goes on without (case
// delivery/read-only-home, F52).
func TestTokensStayInMemoryWithoutAPlace(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, []byte("\x7fELF"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		store, home string
		told, fail  bool
	}{
		"none":          {store: "none"},
		"no folder":     {store: filepath.Join(blocked, "tokens"), told: true},
		"home a file":   {home: blocked, told: true},
		"no home":       {told: true},
		"not ours":      {store: foreign, fail: true},
		"a place to be": {store: filepath.Join(dir, "new", "tokens.json")},
	} {
		t.Setenv("HOME", c.home)
		var said recorder
		s := &Settings{store: c.store}
		store, err := s.Store(said.logger())
		if (err != nil) != c.fail || (store == nil) != c.fail || strings.Contains(said.String(), "kept in memory") != c.told {
			t.Errorf("%s: got store %v, error %v, said %q; want an error: %v, told that tokens are kept in memory: %v",
				name, store, err, said.String(), c.fail, c.told)
		}
		if c.fail && !errors.Is(err, mqttv5.ErrConfig) {
			t.Errorf("%s: got %v, want ErrConfig", name, err)
		}
	}

	if _, err := os.Stat("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v of a file called none, want %v", err, fs.ErrNotExist)
	}
	if b, err := os.ReadFile(foreign); err != nil || string(b) != "\x7fELF" {
		t.Errorf("got %q in the file of others, error %v; want %q", b, err, "\x7fELF")
	}
}
