package telemetry

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The bytes are those of LIBRARY section 6: the keys, their order, and seconds.
func TestEncodeWritesTheCloudsKeysInOrder(t *testing.T) {
	at := time.Unix(1732829000, 0)
	metrics, err := Encode("SN-1", []Metric{{"t", 21.5, at.Add(250 * time.Millisecond)}, Heartbeat(at), {`q"\é`, -3e-7, time.Time{}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"device_serial":"SN-1","metrics":[{"name":"t","value":21.5,"timestamp":1732829000.25},{"name":"heartbeat","value":1,"timestamp":1732829000},{"name":"q\"\\é","value":-3e-07}]}`
	if string(metrics) != want {
		t.Errorf("got %s, want %s", metrics, want)
	}
	batch, err := EncodeBatch([]Device[Event]{{Serial: "A", Samples: []Event{{"door", at}}}, {Serial: "B", ApplicationID: 9, Samples: []Event{{Type: "x"}}}})
	if err != nil {
		t.Fatal(err)
	}
	want = `{"devices":[{"device_serial":"A","events":[{"type":"door","timestamp":1732829000}]},{"device_serial":"B","app_id":9,"events":[{"type":"x"}]}]}`
	if string(batch) != want {
		t.Errorf("got %s, want %s", batch, want)
	}
}

func TestEncodeRefusesBadSamples(t *testing.T) {
	one := func(m Metric) error { _, err := Encode("SN", []Metric{m}); return err }
	batch := func(d ...Device[Event]) error { _, err := EncodeBatch(d); return err }
	good := Device[Event]{Serial: "A", Samples: []Event{{Type: "x"}}}

	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"NaN":       {one(Metric{Name: "t", Value: math.NaN()}), "number 0: t is NaN"},
		"infinite":  {one(Metric{Name: "t", Value: math.Inf(-1)}), "t is -Inf"},
		"no name":   {one(Metric{Value: 1}), "the name is empty"},
		"long name": {one(Metric{Name: strings.Repeat("x", 257)}), "has 257 bytes, the limit is 256"},
		"control":   {one(Metric{Name: "a\nb"}), "control character"},
		"not UTF-8": {one(Metric{Name: "a\xff"}), "not UTF-8"},
		"1969":      {one(Metric{Name: "t", Time: time.Unix(-1, 0)}), "1969-12-31T23:59:59Z is not between"},
		"10000":     {one(Metric{Name: "t", Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}), "is not between"},
		"no device": {batch(), "a batch of no devices"},
		"no serial": {batch(good, Device[Event]{Samples: good.Samples}), "device 1 of the batch: the serial number is empty"},
		"no events": {batch(good, Device[Event]{Serial: "B"}), `device 1 of the batch: "B" has no events`},
		"no type":   {batch(good, Device[Event]{Serial: "B", Samples: []Event{{}}}), `events of "B", number 0: the type is empty`},
	} {
		if !errors.Is(c.err, ErrInvalid) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, c.err, c.want)
		}
	}
}

// What is encoded is read back, compressed or not, and any JSON reader reads it.
func TestParseReadsWhatEncodeWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-zA-Z0-9 _."\\/<>äß€😀-]{1,20}`)
		at := rapid.Custom(func(t *rapid.T) time.Time {
			us := rapid.Int64Range(0, 4_000_000_000_000_000).Draw(t, "microseconds")
			if us == 0 {
				return time.Time{}
			}
			return time.UnixMicro(us).UTC()
		})

		devices := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Device[Metric] {
			return Device[Metric]{
				name.Draw(t, "serial"), rapid.Uint32().Draw(t, "application"),
				rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Metric {
					return Metric{name.Draw(t, "name"), rapid.Float64().Draw(t, "value"), at.Draw(t, "time")}
				}), 1, 4).Draw(t, "metrics"),
			}
		}), 1, 4).Draw(t, "devices")

		b, err := EncodeBatch(devices)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) {
			t.Fatalf("got %s, want JSON", b)
		}

		sent, _ := Compress(b, Compression(rapid.IntRange(0, 2).Draw(t, "compression")))
		r, err := Parse(KindMetrics, sent)
		if err != nil {
			t.Fatalf("got error %v, want it to read %s", err, b)
		}
		again, err := EncodeBatch(r.Metrics)
		if err != nil || !bytes.Equal(again, b) || !r.Batch {
			t.Fatalf("got %s, %v, want %s", again, err, b)
		}
	})
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"device_serial":"S","metrics":[{"name":"t","value":1}]}`:                                    "",
		`{"device_serial":"S","metrics":[{"name":"t","value":1,"timestamp":null,"unit":"C"}],"x":[]}`: "",
		`{"devices":[{"device_serial":"S","metrics":[{"name":"t","value":1e3,"timestamp":1.5}]}]}`:    "",
		`{"app_id":"7","group_id":"0","device_serial":"S","metrics":[{"name":"t","value":1}]}`:        "",
		`[]`: "cannot unmarshal array", `{}`: "device_serial is missing", ``: "unexpected end",
		`{"devices":[]}`:                                                             "a batch of no devices",
		`{"devices":[{"device_serial":"S"}]}`:                                        `device 0 of the batch: "S" has no metrics`,
		`{"device_serial":"S","metrics":[{}]}`:                                       "name is missing",
		`{"device_serial":"S","metrics":[{"name":"t"}]}`:                             "the value of t is no number",
		`{"device_serial":"S","metrics":[{"name":"t","value":"1"}]}`:                 "the value of t is no number",
		`{"device_serial":"S","metrics":[{"name":"t","value":true}]}`:                "the value of t is no number",
		`{"device_serial":"S","metrics":[{"name":"t","value":NaN}]}`:                 "invalid character",
		`{"device_serial":"S","metrics":[{"name":"t","value":1,"timestamp":"now"}]}`: "timestamp is no number",
		`{"device_serial":"S","metrics":[{"name":"t","value":1,"timestamp":1e300}]}`: "no time between",
		`{"device_serial":"S","app_id":"x","metrics":[{"name":"t","value":1}]}`:      "app_id",
		`{"device_serial":"S","events":[{"type":"t"}]}`:                              `"S" has no metrics`,
		"\x1f\x8b":             "unpack",
		"\x1f\x8b\x08\x00\x00": "unpack",
	} {
		_, err := Parse(KindMetrics, []byte(text))
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// A few bytes of gzip do not become memory without end.
func TestParseBoundsWhatItUnpacks(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	chunk := make([]byte, 1<<20)
	for range 17 {
		w.Write(chunk)
	}
	w.Close()
	if _, err := Parse(KindEvents, b.Bytes()); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("got %v, want an error that says \"more than 16777216 bytes\"", err)
	}
}

// The border is where the vendor's library has it.
func TestCompressBeginsAbove1024Bytes(t *testing.T) {
	for size, want := range map[int]bool{1024: false, 1025: true} {
		if _, got := Compress(make([]byte, size), CompressAuto); got != want {
			t.Errorf("%d bytes: compressed %v, want %v", size, got, want)
		}
	}
	if b, did := Compress([]byte("{}"), CompressAlways); !did || b[0] != 0x1f || b[1] != 0x8b {
		t.Errorf("got % x, compressed %v, want true and gzip, which begins with 1f 8b", b, did)
	}
	if _, did := Compress(make([]byte, 5000), CompressNever); did {
		t.Error("got 5000 bytes compressed, want them left as they are")
	}
	if err := CheckSize(make([]byte, 131072)); err != nil {
		t.Error(err)
	}
	if err := CheckSize(make([]byte, 131073)); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "split it") {
		t.Errorf("got %v, want %v that says \"split it\"", err, ErrTooLarge)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"device_serial":"S","metrics":[{"name":"t","value":1,"timestamp":2}]}`))
	f.Add([]byte(`{"devices":[{"device_serial":"S","app_id":"7","events":[{"type":"t"}]}]}`))
	packed, _ := Compress([]byte(`{"device_serial":"S","events":[{"type":"t"}]}`), CompressAlways)
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, kind := range []Kind{KindMetrics, KindEvents} {
			r, err := Parse(kind, b)
			if (err == nil) != (r != nil) {
				t.Fatalf("got report %v, error %v, want one of the two", r, err)
			}
			if err == nil && len(r.Devices()) == 0 {
				t.Fatal("got a report of no device, want one at least")
			}
		}
	})
}
