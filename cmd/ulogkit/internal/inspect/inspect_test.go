package inspect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/format/logtest"
)

// object returns a row as the JSON that a script reads.
func object(t *testing.T, row any) map[string]any {
	t.Helper()
	b, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(b)))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// same reports the keys of want that got does not have with the same value.
func same(t *testing.T, got, want map[string]any, keys ...string) {
	t.Helper()
	for _, key := range keys {
		g, _ := json.Marshal(got[key])
		w, _ := json.Marshal(want[key])
		if string(g) != string(w) {
			t.Errorf("%s is %s, want %s", key, g, w)
		}
	}
}

func unhex(t *testing.T, v any) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.(string))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLogsOfRealAgentsHaveTheirRows(t *testing.T) {
	for _, v := range formattest.LogFields(t) {
		t.Run(v["name"].(string), func(t *testing.T) {
			b := unhex(t, v["buffer_hex"])
			row, err := File("x.bin", b)
			if err != nil {
				t.Fatal(err)
			}
			got := object(t, row)
			header := v["header"].(map[string]any)
			same(t, got, header, "version", "session_token", "tick", "tick_rate_hz", "sequence", "data_len", "checksum")
			same(t, got, map[string]any{"kind": "log", "file": "x.bin", "checksum_ok": true, "frames": v["frame_count"]},
				"kind", "file", "checksum_ok", "frames", "error")

			want := v["frames"].([]any)
			count, _ := v["frame_count"].(json.Number).Int64()
			index := int64(0)
			for row := range Frames("x.bin", b) {
				// A vector with many frames shows the first and last five.
				if shown := int64(len(want)); index < 5 || shown == count {
					sameFrame(t, object(t, row), want[index].(map[string]any))
				} else if index >= count-5 {
					sameFrame(t, object(t, row), want[index-count+shown].(map[string]any))
				}
				index++
			}
			if index != count {
				t.Errorf("%d rows, want %d", index, count)
			}
		})
	}
}

func sameFrame(t *testing.T, got, want map[string]any) {
	t.Helper()
	same(t, got, want, "tick_delta", "sequence", "level", "module", "fmt_addr")
	args, wanted := got["args"].([]any), want["args"].([]any)
	if len(args) != len(wanted) {
		t.Fatalf("%d arguments, want %d", len(args), len(wanted))
	}

	names := map[string]string{"chr": "char", "dbl": "double", "str": "string"}
	for i := range args {
		arg, w := args[i].(map[string]any), wanted[i].(map[string]any)
		typ := w["type"].(string)
		if long, ok := names[typ]; ok {
			typ = long
		}
		if arg["type"] != typ {
			t.Errorf("argument %d has type %v, want %s", i, arg["type"], typ)
		}

		switch typ {
		case "string":
			if arg["value"] != w["value"] {
				t.Errorf("string is %v, want %v", arg["value"], w["value"])
			}
		case "double":
			if bits := doubleBits(t, arg); bits != w["bits"] {
				t.Errorf("double has bits %s, want %v", bits, w["bits"])
			}
		default:
			if number, ok := arg["value"].(json.Number); !ok || number.String() != w["value"] {
				t.Errorf("argument %d is %v, want the number %v", i, arg["value"], w["value"])
			}
		}
	}
}

// doubleBits reads a double back from its row as a script would.
func doubleBits(t *testing.T, arg map[string]any) string {
	t.Helper()
	if bits, ok := arg["bits"]; ok {
		return bits.(string)
	}
	x, err := strconv.ParseFloat(arg["value"].(json.Number).String(), 64)
	if err != nil {
		t.Fatal(err)
	}
	return padHex(math.Float64bits(x))
}

func padHex(x uint64) string {
	s := strconv.FormatUint(x, 16)
	return strings.Repeat("0", 16-len(s)) + s
}

func TestDumpsOfRealAgentsHaveTheirRow(t *testing.T) {
	for _, v := range formattest.DumpFields(t) {
		t.Run(v["name"].(string), func(t *testing.T) {
			row, err := File("x.bin", unhex(t, v["core_hex"]))
			if err != nil {
				t.Fatal(err)
			}
			got := object(t, row)
			same(t, got, v, "total_len", "checksum", "version", "application_id", "git_hash", "device_type", "device_serial",
				"version_string", "flags", "registers", "fp_registers", "regions")
			same(t, got, map[string]any{"kind": "coredump", "file": "x.bin", "checksum_ok": true, "stack_overflow": false},
				"kind", "file", "checksum_ok", "stack_overflow", "error")
		})
	}
}

// oneFrame returns the row of a log with one frame that has the arguments.
func oneFrame(t *testing.T, args ...format.Arg) *Frame {
	t.Helper()
	for row := range Frames("", logtest.Bytes(t, format.Record{Args: args})) {
		return row
	}
	t.Fatal("got no frame, want one")
	return nil
}

// Every bit of a double can be had back from its JSON.
func TestDoublesKeepEveryBit(t *testing.T) {
	for _, bits := range []uint64{
		0, 1 << 63, 1, 1<<63 | 1, 0x3ff0000000000000, 0x3fb999999999999a, 0x7fefffffffffffff, 0x4340000000000001, 0x44b52d02c7e14af6,
		0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff8dead0000beef, 0xffffffffffffffff,
	} {
		row := object(t, oneFrame(t, format.ArgDouble(math.Float64frombits(bits))))
		arg := row["args"].([]any)[0].(map[string]any)
		if got := doubleBits(t, arg); got != padHex(bits) {
			t.Errorf("got bits %s of %v, want %s", got, arg, padHex(bits))
		}
	}
}

// Every byte of a string can be had back from its JSON.
func TestStringsKeepEveryByte(t *testing.T) {
	for _, s := range []string{"", "plain", "h\u00e9llo", "a\x00b", "\xff", "ok\xc3", "\xed\xa0\x80", "</script>", "\u2028", "\ufffd"} {
		row := object(t, oneFrame(t, format.ArgString(s)))
		arg := row["args"].([]any)[0].(map[string]any)
		got := arg["value"].(string)
		if digits, ok := arg["hex"]; ok {
			got = string(unhex(t, digits))
		}
		if got != s {
			t.Errorf("got %q of %v, want %q", got, arg, s)
		}
	}
	arg := object(t, oneFrame(t, format.ArgDropped()))["args"].([]any)[0].(map[string]any)
	if value, ok := arg["value"]; !ok || value != nil {
		t.Errorf("got %v of a dropped string, want a value of null", arg)
	}
}

func TestArgumentsReadAsText(t *testing.T) {
	args := []format.Arg{
		format.ArgString("a\"b"), format.ArgString("\xff"), format.ArgDropped(), format.ArgDouble(math.NaN()),
		format.ArgPointer(0x20), format.ArgChar('A'), format.ArgChar(200), format.ArgI64(math.MinInt64),
	}
	want := []string{`"a\"b"`, `"\xff"`, "(dropped by the device)", "NaN", "0x00000020", "'A'", "200", "-9223372036854775808"}
	for i, arg := range oneFrame(t, args...).Args {
		if got := arg.Text(); got != want[i] {
			t.Errorf("%+v is %s, want %s", arg, got, want[i])
		}
	}
}

// Whatever the bytes, there is a row, and it says what Check says.
func TestDamagedFilesStillHaveARow(t *testing.T) {
	var whole [][]byte
	for _, b := range formattest.LogBytes(t) {
		if len(b) < 1000 {
			whole = append(whole, b)
		}
	}

	whole = append(whole, formattest.DumpBytes(t)...)
	for _, b := range whole {
		for n := range len(b) {
			damaged := append([]byte(nil), b...)
			damaged[n] ^= 0xff
			for _, b := range [][]byte{b[:n], damaged} {
				row, err := File("x", b)
				got := object(t, row)
				reason, _ := got["error"].(string)
				if (err == nil) != (reason == "") || err != nil && err.Error() != reason {
					t.Fatalf("got error %v, want that of the row %v", err, got)
				}
				frames := 0
				for range Frames("x", b) {
					frames++
				}
				if want, ok := got["frames"].(json.Number); ok && want.String() != strconv.Itoa(frames) {
					t.Fatalf("got %d frames, want %s as the row says: %v", frames, want, got)
				}
			}
		}
	}
}

func TestKindTellsFilesApart(t *testing.T) {
	dump := formattest.DumpBytes(t)[0]
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{nil, KindUnknown},
		{[]byte{1}, KindLog},
		{[]byte{3, 9, 9}, KindLog},
		{[]byte{2, 9, 9}, KindUnknown},
		{[]byte("\x7fELF"), KindELF},
		{dump, KindCoreDump},
		{append([]byte{3}, dump[1:]...), KindCoreDump}, // a length that looks like a version
	} {
		if got := Kind(c.b); got != c.want {
			t.Errorf("% x is %s, want %s", c.b[:min(8, len(c.b))], got, c.want)
		}
	}
}

// What a file looks like matters only when it is not good: a log that happens to
// hold a crash dump's mark is a log.
func TestGoodLogIsNeverAnotherFile(t *testing.T) {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	mark := strings.Repeat("cC\x03\x00", 100)
	for pad := range 4 {
		b.Reset()
		if err := b.Add(&format.Record{Args: []format.Arg{format.ArgString(strings.Repeat("x", pad) + mark)}}); err != nil {
			t.Fatal(err)
		}
		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if Kind(log) != KindCoreDump {
			continue
		}
		if err := CheckLog(log); err != nil {
			t.Error(err)
		}
		return
	}

	t.Error("got no log that looks like a crash dump, want one")
}

// A frame whose payload is damaged still tells what stands before the damage.
func TestDamagedPayloadKeepsItsHead(t *testing.T) {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(&format.Record{Level: format.LevelError, Module: 5, FmtAddr: 0x1234, Args: []format.Arg{format.ArgI32(1)}}); err != nil {
		t.Fatal(err)
	}

	log, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}

	for name, change := range map[string]func(payload []byte){
		"unknown type":       func(b []byte) { b[6] = 0xff },
		"too many arguments": func(b []byte) { b[5] = 9 },
	} {
		damaged := bytes.Clone(log)
		change(damaged[len(log)-8:]) // level and module, address, number of arguments, a type, a value
		n := 0
		for row := range Frames("", damaged) {
			n++
			got := object(t, row)
			same(t, got, map[string]any{"level": format.LevelError, "module": 5, "fmt_addr": 0x1234}, "level", "module", "fmt_addr")
			if got["error"] == nil || len(got["args"].([]any)) != 0 {
				t.Errorf("%s: got row %v, want an error and no arguments", name, got)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d frames, want 1", name, n)
		}
	}
}
