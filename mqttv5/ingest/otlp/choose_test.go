package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
)

// lastLine decodes a log as "ulogkit decode" does and returns its last line, which may
// be empty, and whether the log is of one of the builds.
func lastLine(t rapid.TB, dicts []Dictionary, log []byte) (line string, fits bool) {
	form, err := text.ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := text.NewDecoder(text.Config{Dictionaries: dicts, Line: form})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err = d.Decode(context.Background(), "log", bytes.NewReader(log), &out); err != nil {
		if !errors.Is(err, text.ErrWrongDictionary) {
			t.Fatalf("got %v, want no error or %v", err, text.ErrWrongDictionary)
		}
		return "", false
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	return lines[len(lines)-1], true
}

// exported returns the text of a log's last record as an exporter sends it, or "".
func exported(dicts []Dictionary, l format.Log) string {
	d := ChooseFrom(dicts)(Device{}, l).Dictionary
	if d == nil {
		return ""
	}
	var last string
	frames := l.Frames()
	for frames.Next() {
		p, err := format.ParsePayload(frames.Frame().Payload)
		if err != nil {
			continue
		}
		s, _ := d.Format(p.FmtAddr())
		last = string(text.ParseTemplate(s).Append(nil, p))
	}
	return last
}

// Case delivery/export-picks-another-firmware: two builds that differ in one
// statement, which a log reaches after 64 records.
func TestExportChoosesTheBuildThatDecodeChooses(t *testing.T) {
	var dicts []Dictionary
	for _, printf := range []string{"motor %s stopped", "valve %d opened"} {
		d, err := dict.FromStrings(map[uint32]string{0x1000: "tick %d", 0x2000: printf})
		if err != nil {
			t.Fatal(err)
		}
		dicts = append(dicts, d)
	}

	records := []*format.Record{}
	for range 64 {
		records = append(records, &format.Record{FmtAddr: 0x1000, Args: []format.Arg{format.ArgI32(1)}})
	}
	records = append(records, &format.Record{FmtAddr: 0x2000, Args: []format.Arg{format.ArgI32(7)}})
	r := logRecord(t, 1, 3, 1, records...)
	l, _, err := format.ParseLog(r.Payload)
	if err != nil {
		t.Fatal(err)
	}

	decoded, _ := lastLine(t, dicts, r.Payload)
	if got, want := exported(dicts, l), "valve 7 opened"; got != want || decoded != want {
		t.Errorf("got %q from export and %q from decode, want %q", got, decoded, want)
	}
}

// The same over any builds and logs. No number is a control character, which decode
// writes as what it is for the terminal's sake.
func TestExportAgreesWithDecode(t *testing.T) {
	printfs := []string{"a %d", "b %d", "c %s", "d %u", "e", "", "f %f", "g %c %d"}
	rapid.Check(t, func(rt *rapid.T) {
		var dicts []Dictionary
		for range rapid.IntRange(1, 4).Draw(rt, "builds") {
			strings := map[uint32]string{}
			for _, addr := range []uint32{0x1000, 0x1001, 0x2000, 0x3000} {
				if rapid.Bool().Draw(rt, "has") {
					strings[addr] = rapid.SampledFrom(printfs).Draw(rt, "printf") + fmt.Sprint(len(dicts)%2)
				}
			}
			d, err := dict.FromStrings(strings)
			if err != nil {
				rt.Skip()
			}
			dicts = append(dicts, d)
		}

		var records []*format.Record
		for range rapid.IntRange(1, 30).Draw(rt, "records") {
			r := &format.Record{FmtAddr: rapid.SampledFrom([]uint32{0x1000, 0x1000, 0x2000, 0x3000, 0x1001}).Draw(rt, "addr")}
			for range rapid.IntRange(0, 2).Draw(rt, "args") {
				r.Args = append(r.Args, rapid.SampledFrom([]format.Arg{format.ArgI32(65), format.ArgU32(66), format.ArgString("s"), format.ArgDouble(1)}).Draw(rt, "arg"))
			}
			records = append(records, r)
		}

		payload := logRecord(t, 1, 3, 1, records...).Payload
		l, _, err := format.ParseLog(payload)
		if err != nil {
			rt.Fatal(err)
		}
		chosen := ChooseFrom(dicts)(Device{}, l).Dictionary
		decoded, fits := lastLine(rt, dicts, payload)
		if (chosen != nil) != fits {
			rt.Fatalf("got %v chosen by export and %q written by decode, fits %v, want both or neither", chosen, decoded, fits)
		}

		last := records[len(records)-1]
		if chosen == nil {
			return
		}
		if _, ok := chosen.Format(last.FmtAddr); !ok {
			return // both show address and arguments, each in its own way
		}

		if got := exported(dicts, l); got != decoded {
			rt.Fatalf("got %q from export, want %q as from decode", got, decoded)
		}
	})
}

// named is a dictionary with the name of a file.
type named struct {
	Dictionary
	name string
}

func (n *named) String() string { return n.name }

// Builds that fit a log equally and read its records differently are counted in the
// statistics and the metrics, and named once.
func TestBuildsThatFitEquallyAreCountedAndNamed(t *testing.T) {
	build := func(name, printf string) Dictionary {
		d, err := dict.FromStrings(map[uint32]string{0x1000: printf, 0x2000: "same %d"})
		if err != nil {
			t.Fatal(err)
		}
		return &named{d, name}
	}

	src := &memorySource{}
	say := func(addr uint32) *format.Record {
		return &format.Record{FmtAddr: addr, Args: []format.Arg{format.ArgI32(1)}}
	}
	src.add(logRecord(t, 1, 3, 1, say(0x1000), say(0x2000), say(0x1000)))
	src.add(logRecord(t, 2, 3, 2, say(0x1000)))
	src.add(logRecord(t, 3, 3, 1, say(0x2000)))
	r := newReceiver(t)
	var log bytes.Buffer
	e := newExporter(t, Config{
		URL: r.srv.URL, Source: src, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Choose: ChooseFrom([]Dictionary{build("a.elf", "a %d"), build("b.elf", "b %d")}),
	})

	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := e.Stats(); got.Ambiguous != 3 || got.LogRecords != 5 || got.Undecoded != 0 {
		t.Errorf("got %+v, want 3 of 5 records ambiguous", got)
	}

	if got := exposed(t, e); !strings.Contains(got, "\nulogkit_export_ambiguous_total 3\n") {
		t.Errorf("got metrics without 3 ambiguous records, want ulogkit_export_ambiguous_total 3:\n%s", got)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `builds="[a.elf b.elf]"`) {
		t.Errorf("got %q, want both builds named once", got)
	}

	got := slices.Sorted(slices.Values(r.bodies()))
	if want := []string{"a 1", "a 1", "a 1", "same 1", "same 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want what the first build says, %q", got, want)
	}
}
