package text

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/formattest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vectorDictionary has the formats of one agent's vectors.
func vectorDictionary(t testing.TB, agent string) *dict.Dictionary {
	t.Helper()
	texts := map[uint32]string{}
	for _, v := range formattest.Logs(t) {
		if strings.HasPrefix(v.Name, agent) {
			for _, f := range v.Frames {
				texts[f.FmtAddr] = f.Fmt
			}
		}
	}
	return dictionaryOf(t, texts)
}

func dictionaryOf(t testing.TB, texts map[uint32]string) *dict.Dictionary {
	t.Helper()
	d, err := dict.FromStrings(texts)
	if err != nil {
		t.Fatal(err)
	}
	d.SetModules(map[uint8]string{0: "MAIN", 1: "SENSOR", 2: "BLE"})
	return d
}

// vectorLog returns the logs of an agent, back to back, as a gateway saves them.
func vectorLog(t testing.TB, agent string) []byte {
	var b []byte
	for _, v := range formattest.Logs(t) {
		if strings.HasPrefix(v.Name, agent) {
			b = append(b, v.Buffer...)
		}
	}
	return b
}

// decode decodes b and returns the output.
func decode(t testing.TB, cfg Config, b []byte) (string, Report) {
	t.Helper()
	out, report, err := tryDecode(t, cfg, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return out, report
}

func tryDecode(t testing.TB, cfg Config, r io.Reader) (string, Report, error) {
	t.Helper()
	d, err := NewDecoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := d.Decode(context.Background(), "log.bin", r, &out)
	return out.String(), report, err
}

func TestVectorsDecodeToTheirLines(t *testing.T) {
	cfg := Config{Dictionaries: []Dictionary{vectorDictionary(t, "agent-1.2.2")}}
	out, report := decode(t, cfg, vectorLog(t, "agent-1.2.2"))
	lines := strings.Split(out, "\n")
	if len(lines) != 403 || lines[402] != "" {
		t.Fatalf("%d lines, want 402", len(lines)-1)
	}

	for i, want := range map[int]string{
		0:   "    0.012542 debug    MAIN     plain",
		2:   "    0.020904 info     SENSOR   ints 0 -1 255 deadbeef ABC 10",
		9:   "    0.050170 error    3        chars [A][\t][\\x80]",
		23:  "    0.112884 info     MAIN     big <missing> end",
		30:  "    0.154693 metric   always   metric_battery_mv=3712.25",
		34:  "    0.175598 debug    MAIN     loop 0 of 400 at 0",
		401: "    2.646514 info     MAIN     about to crash 2",
	} {
		if lines[i] != want {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}

	want := Report{Bytes: int64(len(vectorLog(t, "agent-1.2.2"))), Logs: 7, Records: 402, Shown: 402, DroppedStrings: 1, NotRecorded: 8 + 28 + 5 + 4 + 3 + 1 + 1}
	if diff := cmp.Diff(report, want, wholeReport); diff != "" {
		t.Errorf("got another report than want (-got +want):\n%s", diff)
	}
	if !report.Lost() {
		t.Error("got nothing lost, want what was dropped and not recorded to be")
	}
}

func TestJSONRowsTellAllOfARecord(t *testing.T) {
	for _, agent := range []string{"agent-1.0.2", "agent-1.2.2"} {
		d := vectorDictionary(t, agent)
		out, _ := decode(t, Config{Dictionaries: []Dictionary{d}, JSON: true}, vectorLog(t, agent))
		index := 0
		for line := range strings.Lines(out) {
			var row struct {
				V, Index, Module *int
				Tick             *uint64
				Seconds          *float64
				Sequence         *uint16
				File, Level      string
				ModuleName       string `json:"module_name"`
				FmtAddr          uint32 `json:"fmt_addr"`
				Fmt              string
				Args             []struct {
					Type  string
					Value any
					Bits  string
				}
				Text   *string
				Metric *struct {
					Name  string
					Value any
				}
			}

			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("got error %v, want one JSON object: %s", err, line)
			}
			if *row.V != 1 || *row.Index != index || row.File != "log.bin" || row.Text == nil || row.Level == "" || row.Module == nil {
				t.Fatalf("got row %s, want v 1, index %d, file log.bin, and a text, a level and a module", line, index)
			}

			if v1 := agent == "agent-1.0.2"; (row.Sequence != nil) != v1 || (row.Tick == nil) != v1 || (row.Seconds == nil) != v1 {
				t.Errorf("got row %s, want a sequence: %v; a tick and seconds: %v", line, v1, !v1)
			}
			if want, _ := d.Format(row.FmtAddr); want != row.Fmt {
				t.Errorf("%#x is %q, want %q", row.FmtAddr, row.Fmt, want)
			}

			if want := map[int]string{0: "MAIN", 1: "SENSOR", 2: "BLE"}[*row.Module]; row.ModuleName != want {
				t.Errorf("got module name %q of module %d, want %q: %s", row.ModuleName, *row.Module, want, line)
			}
			switch row.Fmt {
			case "nan %f %f %f":
				if a := row.Args; a[0].Value != "NaN" || a[0].Bits != "7ff8000000000000" || a[1].Value != "Infinity" || a[2].Value != "-Infinity" {
					t.Errorf("got row %s, want the doubles NaN of bits 7ff8000000000000, Infinity and -Infinity", line)
				}

			case "big %s end":
				if a := row.Args; a[0].Type != "string" || a[0].Value != nil {
					t.Errorf("got row %s, want a string of no value", line)
				}

			case "chars [%c][%c][%c]":
				if want := `"text":"chars [A][\t][\ufffd]","text_hex":"6368617273205b415d5b095d5b805d"`; !strings.Contains(line, want) {
					t.Errorf("got row %s, want %s in it", line, want)
				}

			case "ll %lld %llu %llx":
				if want := `{"type":"i64","value":-9223372036854775808,"certain":true},{"type":"u64","value":18446744073709551615,"certain":true}`; !strings.Contains(line, want) {
					t.Errorf("got row %s, want %s in it", line, want)
				}

			case "metric_%s=%.15g":
				if m := row.Metric; m == nil || m.Name != "battery_mv" || m.Value != 3712.25 || row.Level != "metric" {
					t.Errorf("got row %s, want the metric battery_mv of 3712.25, and the level metric", line)
				}

			case "metric_heartbeat=1":
				if m := row.Metric; m == nil || m.Name != "heartbeat" || m.Value != 1.0 {
					t.Errorf("got row %s, want the metric heartbeat of 1", line)
				}
			}

			index++
		}

		if index < 400 {
			t.Errorf("%s: %d rows, want at least 400", agent, index)
		}
	}
}

// TestWithoutFirmwareAllIsKept keeps what is needed to render the records later.
func TestWithoutFirmwareAllIsKept(t *testing.T) {
	b := logOf(t, 3, record1(0x1000, format.ArgI32(-5), format.ArgString("a\nb"), format.ArgDropped()))
	out, report := decode(t, Config{}, b)
	if want := "    0.000000 info     0        0x00001000 <i32 -5> <string a\\nb> <missing>\n"; out != want {
		t.Errorf("line is %q, want %q", out, want)
	}
	if report.DroppedStrings != 1 || report.Unknown != 0 {
		t.Errorf("report is %+v, want DroppedStrings 1 and Unknown 0", report)
	}
	out, _ = decode(t, Config{JSON: true}, b)
	want := `{"v":1,"kind":"record","file":"log.bin","index":0,"log":0,"offset":17,"boot":0,"tick":0,"seconds":0.000000,"device_time":0.000000,"device_time_error_us":1,"level":"info","module":0,"fmt_addr":4096,` +
		`"args":[{"type":"i32","value":-5},{"type":"string","value":"a\nb"},{"type":"string","value":null}],"text":null,"reason":"no firmware file given"}` + "\n"
	if out != want {
		t.Errorf("row is %q, want %q", out, want)
	}
}

// record1 is a record of level info and module 0.
func record1(addr uint32, args ...format.Arg) format.Record {
	return format.Record{Level: format.LevelInfo, FmtAddr: addr, Args: args}
}

// logOf returns one good log.
func logOf(t testing.TB, version uint8, records ...format.Record) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(version)
	if err != nil {
		t.Fatal(err)
	}
	b.TickRateHz = 32768
	for i := range records {
		if err := b.Add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	out, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mixedFile is a file of logs of both versions with damage of all kinds in it.
func mixedFile(t testing.TB, seed uint64, logs int, damage bool) ([]byte, *dict.Dictionary) {
	r := rand.New(rand.NewPCG(seed, 7))
	texts := map[uint32]string{0x1000: "temp=%d rh=%d seq=%u", 0x1100: "name %s of %c", 0x1200: "plain", 0x1300: "metric_%s=%.15g", 0x1400: "%f %e"}
	args := map[uint32]func() []format.Arg{
		0x1000: func() []format.Arg {
			return []format.Arg{format.ArgI32(int32(r.Uint32())), format.ArgI32(int32(r.IntN(100))), format.ArgU32(r.Uint32())}
		},
		0x1100: func() []format.Arg {
			return []format.Arg{format.ArgString(strings.Repeat("x\n", r.IntN(9))), format.ArgChar(byte(r.IntN(256)))}
		},
		0x1200: func() []format.Arg { return nil },
		0x1300: func() []format.Arg { return []format.Arg{format.ArgString("m"), format.ArgDouble(r.NormFloat64())} },
		0x1400: func() []format.Arg {
			return []format.Arg{format.ArgDouble(r.NormFloat64()), format.ArgDouble(r.ExpFloat64())}
		},
	}

	addrs := []uint32{0x1000, 0x1100, 0x1200, 0x1300, 0x1400}
	var out []byte
	sequence := uint16(0)
	tick := uint32(0)
	for range logs {
		version := uint8(1 + 2*r.IntN(2))
		b, err := format.NewLogBuilder(version)
		if err != nil {
			t.Fatal(err)
		}
		b.TickRateHz = 32768
		for range r.IntN(300) {
			addr := addrs[r.IntN(len(addrs))]
			rec := format.Record{Level: format.Level(r.IntN(6)), Module: uint8(r.IntN(32)), FmtAddr: addr, Sequence: sequence, TickDelta: r.Uint32N(1000), Args: args[addr]()}
			tick += rec.TickDelta
			if version == 1 {
				sequence++
			}
			if r.IntN(200) == 0 {
				sequence += uint16(r.IntN(5))
			}
			if err := b.Add(&rec); err != nil {
				t.Fatal(err)
			}
		}

		b.Tick = tick
		start := len(out)
		if out, err = b.AppendTo(out); err != nil {
			t.Fatal(err)
		}

		if damage && r.IntN(6) == 0 {
			switch at := start + r.IntN(len(out)-start); r.IntN(3) {
			case 0:
				out[at] ^= 1 << r.IntN(8)
			case 1:
				out = out[:at]
			case 2:
				out = append(out, make([]byte, r.IntN(40))...)
			}
		}
	}

	return out, dictionaryOf(t, texts)
}

// TestParallelOutputIsThatOfOneGoroutine holds the output of several goroutines to that
// of one.
func TestParallelOutputIsThatOfOneGoroutine(t *testing.T) {
	logs := 300
	if raced {
		logs = 75
	}

	for seed := range uint64(3) {
		b, d := mixedFile(t, seed, logs, seed%2 == 1)
		for _, asJSON := range []bool{false, true} {
			cfg := Config{Dictionaries: []Dictionary{d}, JSON: asJSON, Damaged: seed == 1 && asJSON}
			one, report := decode(t, cfg, b)
			cfg.Parallel = 4
			many, reportMany := decode(t, cfg, b)
			if one != many {
				t.Errorf("seed %d, JSON %v: got %d bytes of output by 4 goroutines, want the same %d as by one", seed, asJSON, len(many), len(one))
			}
			if diff := cmp.Diff(report, reportMany, wholeReport); diff != "" {
				t.Errorf("seed %d: by 4 goroutines got another report than want, that of one (-want +got):\n%s", seed, diff)
			}
			if report.Records < int64(100*logs) || (report.DamagedCount > 0) != (seed%2 == 1) {
				t.Errorf("seed %d: got report %+v, want at least %d records, and damage: %v", seed, report, 100*logs, seed%2 == 1)
			}
		}
	}
}

// TestOutputIsTheSameHoweverBytesCome holds the output to be the same however the bytes
// come.
func TestOutputIsTheSameHoweverBytesCome(t *testing.T) {
	b, d := mixedFile(t, 3, 60, true)
	first, second, file, _ := builds(t)
	file = file[len(file)-3000:] // in the midst of a log, where the builds alternate
	three := slices.Concat(file, b[:30_000], file, b[30_000:])
	t.Run("one firmware", func(t *testing.T) { testChunks(t, b, d) })
	t.Run("three", func(t *testing.T) { testChunks(t, three, first, second, d) })
}

func testChunks(t *testing.T, b []byte, dicts ...Dictionary) {
	cfg := Config{Dictionaries: dicts, JSON: true, Damaged: len(dicts) > 1}
	want, wantReport := decode(t, cfg, b)

	for name, r := range map[string]io.Reader{
		"bytes":       iotest.OneByteReader(bytes.NewReader(b[:20_000])),
		"halves":      iotest.HalfReader(bytes.NewReader(b)),
		"data at end": iotest.DataErrReader(bytes.NewReader(b)),
		"hundreds":    &slowReader{b: b, n: 100},
		"odd":         &slowReader{b: b, n: 65_537},
	} {
		got, report, err := tryDecode(t, cfg, r)
		if err != nil {
			t.Fatal(err)
		}
		if name == "bytes" {
			want, wantReport := decode(t, cfg, b[:20_000])
			if got != want || !cmp.Equal(report, wantReport, wholeReport) {
				t.Errorf("%s: got %d bytes of output, report %+v; want the same %d bytes as in one piece, report %+v", name, len(got), report, len(want), wantReport)
			}
			continue
		}
		if got != want {
			t.Errorf("%s: got %d bytes of output, want the same %d as in one piece", name, len(got), len(want))
		}
		if diff := cmp.Diff(report, wantReport, wholeReport); diff != "" {
			t.Errorf("%s: got another report than want, that in one piece (-got +want):\n%s", name, diff)
		}
	}
}

type slowReader struct {
	b []byte
	n int
}

func (s *slowReader) Read(b []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), s.n)], s.b)
	s.b = s.b[n:]
	return n, nil
}

func TestReadAndWriteErrorsAreReturned(t *testing.T) {
	b, d := mixedFile(t, 4, 50, false)
	broken := errors.New("broken")

	for _, parallel := range []int{1, 2} {
		cfg := Config{Dictionaries: []Dictionary{d}, Parallel: parallel}
		out, report, err := tryDecode(t, cfg, io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || report.Records == 0 || strings.Count(out, "\n") != int(report.Records) {
			t.Errorf("parallel %d: got error %v, %d records, %d lines; want %v, and a line for each of some records",
				parallel, err, report.Records, strings.Count(out, "\n"), broken)
		}
		decoder, err := NewDecoder(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decoder.Decode(context.Background(), "x", &endless{b: b, n: 1 << 40}, failingWriter{broken}); !errors.Is(err, broken) {
			t.Errorf("parallel %d: got error %v of a writer that fails, want %v", parallel, err, broken)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := decoder.Decode(ctx, "x", &endless{b: b, n: 1 << 40}, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("parallel %d: got error %v when canceled, want %v", parallel, err, context.Canceled)
		}
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestTicksGoOnAcrossTheCountersWrap goes across the wrap of the device's counter, and
// a restart.
func TestTicksGoOnAcrossTheCountersWrap(t *testing.T) {
	var b []byte
	log := func(tick uint32, deltas ...uint32) {
		builder, err := format.NewLogBuilder(3)
		if err != nil {
			t.Fatal(err)
		}
		builder.Tick, builder.TickRateHz = tick, 1<<20
		for _, delta := range deltas {
			if err := builder.Add(&format.Record{TickDelta: delta}); err != nil {
				t.Fatal(err)
			}
		}
		if b, err = builder.AppendTo(b); err != nil {
			t.Fatal(err)
		}
	}

	log(0x7000_0000, 0x7000_0000)
	log(0xe000_0000, 0x7000_0000)
	log(0x2000_0000, 0x3000_0000, 0x1000_0000) // 2^32 passed
	log(0x0000_0400, 0x400)                    // restarted
	line, err := ParseLine("{tick} {seconds}", false)
	if err != nil {
		t.Fatal(err)
	}

	out, report := decode(t, Config{Line: line}, b)
	want := "1879048192 1792.000000\n3758096384 3584.000000\n4563402752 4352.000000\n4831838208 4608.000000\n1024 0.000976\n"
	if out != want || report.Restarts != 1 || report.Lost() {
		t.Errorf("output is\n%swant\n%sreport %+v", out, want, report)
	}
	if binary.LittleEndian.Uint32(b[5:]) != 0x7000_0000 {
		t.Errorf("got tick %#x in the first log, want 0x70000000: the test does not write what it means to", binary.LittleEndian.Uint32(b[5:]))
	}
}
