package text

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// filterLog has ten records, of every level and some modules, a second apart.
func filterLog(t testing.TB) ([]byte, Config) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "number %d", 0x1100: "plain words", 0x1200: "name %s"})
	var records []format.Record
	for i := range 10 {
		r := format.Record{Level: format.Level(i % 8), Module: uint8(i % 4), FmtAddr: 0x1000, TickDelta: 32768, Args: []format.Arg{format.ArgI32(int32(i))}}
		switch i {
		case 4:
			r.FmtAddr, r.Args = 0x1100, nil
		case 5:
			r.FmtAddr, r.Args = 0x1200, []format.Arg{format.ArgString("numb")}
		case 6:
			r.Module = 31
		}
		records = append(records, r)
	}
	line, err := ParseLine("{index}", false)
	if err != nil {
		t.Fatal(err)
	}
	return logOf(t, 3, records...), Config{Dictionaries: []Dictionary{d}, Line: line}
}

func TestFilterShowsOnlyWhatMatches(t *testing.T) {
	b, cfg := filterLog(t)
	grep := func(s string) Filter { return Filter{Grep: regexp.MustCompile(s)} }
	modules := func(list string) Filter {
		numbers, names := ParseModules(list)
		return Filter{Modules: numbers, ModuleNames: names}
	}

	tests := []struct {
		name   string
		filter Filter
		want   string
	}{
		{"none", Filter{}, "0 1 2 3 4 5 6 7 8 9"},
		{"debug", Filter{Levels: LevelsFrom(format.LevelDebug)}, "0 1 2 3 4 5 6 7 8 9"},
		{"info", Filter{Levels: LevelsFrom(format.LevelInfo)}, "1 2 3 4 9"},
		{"critical", Filter{Levels: LevelsFrom(format.LevelCritical)}, "4"},
		{"metric", Filter{Levels: LevelsFrom(format.LevelMetric)}, "5"},
		{"module by number", modules("3"), "3 7"},
		{"modules by name", modules("sensor, 31"), "1 5 6 9"},
		{"word of a format", grep("number"), "0 1 2 3 6 7 8 9"},
		{"word of an argument", grep("7"), "7"},
		{"across both", grep("number [3-6]"), "3 6"},
		{"in plain text only", grep("^plain words$"), "4"},
		{"anchored where an argument follows", grep("^number $"), ""},
		{"a literal with a point in it", grep(`number\.`), ""},
		{"a literal that is no prefix", grep("words"), "4"},
		{"in a string", grep("numb$"), "5"},
		{"case", grep("(?i)NAME|PLAIN"), "4 5"},
		{"nothing", grep("absent"), ""},
		{"all", grep(""), "0 1 2 3 4 5 6 7 8 9"},
		{"since", Filter{Since: 8}, "7 8 9"},
		{"until", Filter{Until: 2.5}, "0 1"},
		{"since and until", Filter{Since: 3, Until: 4}, "2 3"},
		{"everything at once", Filter{Levels: LevelsFrom(format.LevelInfo), Modules: 1<<1 | 1<<3, Grep: regexp.MustCompile("number"), Since: 2, Until: 9.5}, "1 3"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg.Filter = tt.filter
			out, report := decode(t, cfg, b)
			if got := strings.Join(strings.Fields(out), " "); got != tt.want {
				t.Errorf("shown are %s, want %s", got, tt.want)
			}
			if report.Records != 10 || report.Shown != int64(strings.Count(out, "\n")) || report.Lost() {
				t.Errorf("got report %+v, want 10 records, Shown as the %d lines, nothing lost", report, strings.Count(out, "\n"))
			}
		})
	}
}

// TestGrepSeesArgumentsBehindPlainText has an argument that a plain format does not
// show by itself: the pattern must not be decided by the format.
func TestGrepSeesArgumentsBehindPlainText(t *testing.T) {
	_, cfg := filterLog(t)
	cfg.Force = true
	cfg.Filter.Grep = regexp.MustCompile("i32 5")
	b := logOf(t, 3, record1(0x1100, format.ArgI32(5)), record1(0x1100))
	if out, _ := decode(t, cfg, b); out != "0\n" {
		t.Errorf("got %q, want %q", out, "0\n")
	}
}

// TestTimeFilterShowsNoRecordWithoutTime filters by time where there is none.
func TestTimeFilterShowsNoRecordWithoutTime(t *testing.T) {
	_, cfg := filterLog(t)
	cfg.Filter.Since = 1
	out, report := decode(t, cfg, logOf(t, 1, record1(0x1100)))
	if out != "" || report.NoTime != 1 {
		t.Errorf("got output %q, report %+v; want none and NoTime 1", out, report)
	}
}

// TestFilterLeavesPayloadsUndecoded holds level, module, time and plain patterns to leave
// payloads undecoded: what is wrong behind the address does not show.
func TestFilterLeavesPayloadsUndecoded(t *testing.T) {
	_, cfg := filterLog(t)
	b := logOf(t, 3, record1(0x1100), record1(0x1100, format.ArgI32(1)))
	b[len(b)-2] ^= 0xf0 // the type of the argument becomes 14
	b[15] ^= 0xf0       // the checksum follows
	for _, f := range []Filter{{Levels: LevelsFrom(format.LevelError)}, {Modules: 1 << 5}, {Since: 99}} {
		cfg.Filter = f
		if out, report := decode(t, cfg, b); out != "" || report.Unreadable != 0 {
			t.Errorf("%+v: got output %q, report %+v; want none and Unreadable 0", f, out, report)
		}
	}
	cfg.Filter = Filter{}
	if out, report := decode(t, cfg, b); report.Unreadable != 1 || !report.Lost() || strings.Count(out, "\n") != 2 {
		t.Errorf("got output %q, report %+v; want 2 lines, Unreadable 1, Lost", out, report)
	}
}

// TestModuleNamesAreOfTheLogsBuild has builds that number the same modules differently, or
// lack some.
func TestModuleNamesAreOfTheLogsBuild(t *testing.T) {
	a := dictionaryOf(t, map[uint32]string{0x1000: "a"})
	a.SetModules(map[uint8]string{1: "SENSOR", 2: "RADIO"})
	b := dictionaryOf(t, map[uint32]string{0x2000: "b"})
	b.SetModules(map[uint8]string{1: "RADIO", 2: "SENSOR", 3: "NET"})
	all := func(addr uint32) []byte {
		var records []format.Record
		for n := range uint8(4) {
			records = append(records, format.Record{Level: format.LevelInfo, Module: n, FmtAddr: addr})
		}
		return logOf(t, 3, records...)
	}

	line, err := ParseLine("{text}{module_number}", false)
	if err != nil {
		t.Fatal(err)
	}
	file := slices.Concat(all(0x1000), all(0x2000), all(0x1000))
	for list, want := range map[string]string{
		"sensor":         "a1 b2 a1",
		"RADIO, net":     "a2 b1 b3 a2",
		"net":            "b3",
		"0,net":          "a0 b0 b3 a0",
		"none":           "",
		"sensor,2":       "a1 a2 b2 a1 a2",
		"sensor,radio,3": "a1 a2 a3 b1 b2 b3 a1 a2 a3",
	} {
		for _, parallel := range []int{1, 2} {
			reloads := [][]Dictionary{{b}}
			for name, cfg := range map[string]Config{
				"both": {Dictionaries: []Dictionary{a, b}},
				"a reload": {Dictionaries: []Dictionary{a}, Reload: func() (dicts []Dictionary) {
					if len(reloads) > 0 {
						dicts, reloads = reloads[0], reloads[1:]
					}
					return dicts
				}},
			} {
				cfg.Line, cfg.Parallel = line, parallel
				cfg.Filter.Modules, cfg.Filter.ModuleNames = ParseModules(list)
				out, report := decode(t, cfg, file)
				if got := strings.Join(strings.Fields(out), " "); got != want || report.Records != 12 {
					t.Errorf("%q with %s, parallel %d: got %q of %d records, want %q of 12", list, name, parallel, got, report.Records, want)
				}
			}
		}
	}

	// Without a dictionary there are no names.
	cfg := Config{Filter: Filter{ModuleNames: []string{"sensor"}}}
	if out, report := decode(t, cfg, file); out != "" || report.Records != 12 {
		t.Errorf("without dictionary: got output %q, report %+v; want none, and 12 records", out, report)
	}
}

func TestUnknownModuleNamesAreRefused(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "x"})
	other := dictionaryOf(t, map[uint32]string{0x1000: "x"})
	other.SetModules(map[uint8]string{0: "MAIN", 1: "WIFI"})

	for _, tt := range []struct {
		list  string
		dicts []Dictionary
		want  string
	}{
		{"31,Main", []Dictionary{d}, ""},
		{"wifi,ble", []Dictionary{d, other}, ""},
		{"5", nil, ""},
		{"32", []Dictionary{d}, `module "32" is neither a number from 0 to 31 nor a name: the firmware has MAIN, SENSOR, BLE`},
		{"ble,wifi", []Dictionary{d}, `module "wifi" is neither a number from 0 to 31 nor a name: the firmware has MAIN, SENSOR, BLE`},
		{"net", []Dictionary{d, other}, `module "net" is neither a number from 0 to 31 nor a name: the firmware has MAIN, SENSOR, BLE, WIFI`},
		{"main", nil, `module "main" is neither a number from 0 to 31 nor a name: the firmware names none`},
		{"", []Dictionary{d}, `module "" is neither a number from 0 to 31 nor a name: the firmware has MAIN, SENSOR, BLE`},
	} {
		_, names := ParseModules(tt.list)
		got := ""
		if err := CheckModules(names, tt.dicts); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: error %s, want %s", tt.list, got, tt.want)
		}
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	for _, cfg := range []Config{{Parallel: -1}, {Parallel: 65}, {Filter: Filter{Since: 2, Until: 1}}, {Filter: Filter{Since: -1}}} {
		if _, err := NewDecoder(cfg); err == nil {
			t.Errorf("%+v: got no error, want one", cfg)
		}
	}
}
