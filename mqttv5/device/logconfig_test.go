package device

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func TestParseLogConfigReadsBothForms(t *testing.T) {
	all := LogConfig{Level: format.LevelError, ModuleFlags: 0xffffffff}
	for in, want := range map[string]*LogConfig{
		"\x03\xff\xff\xff\xff\x00\x00\x00\x00":                         &all,
		"\x01\x06\x00\x00\x00\x3c\x00\x00\x00":                         {Level: format.LevelInfo, ModuleFlags: 6, Timeout: time.Minute},
		`{"log_level":3}`:                                              &all,
		`{"log_level":"ERROR"}`:                                        &all,
		`{"log_level":1,"module_flags":6,"timeout_seconds":60,"x":[]}`: {Level: format.LevelInfo, ModuleFlags: 6, Timeout: time.Minute},
		`{"log_level":0,"log_modules":["net","ui"]}`:                   {ModuleFlags: 0xffffffff, Modules: []string{"net", "ui"}},
		"":                                      nil,
		"\x03\xff\xff\xff\xff\x00\x00\x00":      nil,
		`{}`:                                    nil,
		`{"log_level":"metric"}`:                nil,
		`{"log_level":-1}`:                      nil,
		`{"log_level":1,"log_level":2}`:         nil,
		`{"log_level":1,"module_flags":-1}`:     nil,
		`{"log_level":1,"timeout_seconds":1e9}`: nil,
		`{"log_level":1,"log_modules":7}`:       nil,
		`{"log_level":1}x`:                      nil,
	} {
		got, err := ParseLogConfig([]byte(in))
		if want == nil {
			if !errors.Is(err, fault.ErrBadData) {
				t.Errorf("%q: got %+v, %v, want %v", in, got, err, fault.ErrBadData)
			}
			continue
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(*want) {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, *want)
		}
		if len(in) == 9 && string(got.Binary()) != in {
			t.Errorf("got % x, want % x", got.Binary(), in)
		}
	}
}

// Names of modules may follow the nine bytes; what cannot be read there costs the
// names and nothing else (case seed/config-names).
func TestModulesThatCannotBeReadCostTheirNamesAlone(t *testing.T) {
	head := "\x02\x03\x00\x00\x00\x58\x02\x00\x00"
	for tail, want := range map[string]struct {
		names string
		err   string
	}{
		"":                  {"", ""},
		`["COMM","SENSOR"]`: {"COMM SENSOR", ""},
		`[7,1.5,true]`:      {"7 1.5 true", ""},
		" []\n":             {"", ""},
		`{"COMM":1}`:        {"", "no JSON array"},
		`["COMM"`:           {"", "no JSON array"},
		`["COMM"]x`:         {"", "no JSON array"},
		"null":              {"", "no JSON array"},
		"\x00":              {"", "no JSON array"},
		"[\"\xff\"]":        {"", "not UTF-8"},
	} {
		c, err := ParseLogConfig([]byte(head + tail))
		if err != nil || c.Level != format.LevelWarning || c.ModuleFlags != 3 || c.Timeout != 600*time.Second {
			t.Errorf("%q: got %+v, %v, want Level %v, ModuleFlags 3 and Timeout %v", tail, c, err, format.LevelWarning, 600*time.Second)
		}
		if strings.Join(c.Modules, " ") != want.names || (c.ModulesErr == nil) != (want.err == "") ||
			c.ModulesErr != nil && !strings.Contains(c.ModulesErr.Error(), want.err) {
			t.Errorf("%q: got %q, %v, want %+v", tail, c.Modules, c.ModulesErr, want)
		}
	}

	for _, in := range []string{"\x05\xff\xff\xff\xff\x00\x00\x00\x00", `{"log_level":5}`} {
		if c, err := ParseLogConfig([]byte(in)); err != nil || c.Level != format.LevelInfo {
			t.Errorf("%q: got %+v, %v, want %v for a level that no device has", in, c, err, format.LevelInfo)
		}
	}
}

func FuzzLogConfig(f *testing.F) {
	f.Add([]byte("\x03\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add([]byte(`{"log_level":"info","module_flags":1,"log_modules":["a"],"timeout_seconds":4294967295}`))
	f.Add([]byte(`{"log_level":1e400}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseLogConfig(b)
		if err != nil {
			return
		}
		again, err := ParseLogConfig(c.Binary())
		if err != nil || again.Level != c.Level || again.ModuleFlags != c.ModuleFlags || again.Timeout != c.Timeout {
			t.Fatalf("%q: %+v, again %+v, %v, want Level %v, ModuleFlags %v and Timeout %v", b, c, again, err, c.Level, c.ModuleFlags, c.Timeout)
		}
	})
}
