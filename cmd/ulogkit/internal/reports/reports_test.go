package reports

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

func TestReadGathersDevicesAndNamesBadLines(t *testing.T) {
	batches, _, err := Read[telemetry.Metric]([]byte(`
{"device_serial":"A","name":"t","value":1,"timestamp":5}
{"device_serial":"B","name":"t","value":2}
{"device_serial":"A","metrics":[{"name":"u","value":3}]}
{"device_serial":"A","app_id":9,"name":"t","value":4}
nonsense
{"name":"t","value":1}
{"device_serial":"C","type":"door"}
{"device_serial":"C","name":"a\nb","value":1}
`))
	if len(batches) != 1 {
		t.Fatalf("got %d batches, want 1", len(batches))
	}

	b, _ := telemetry.EncodeBatch(batches[0])
	want := `{"devices":[{"device_serial":"A","metrics":[{"name":"t","value":1,"timestamp":5},{"name":"u","value":3}]},{"device_serial":"B","metrics":[{"name":"t","value":2}]},{"device_serial":"A","app_id":9,"metrics":[{"name":"t","value":4}]}]}`
	if string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}

	for _, s := range []string{"line 6: not a JSON object", "line 7: ", "device_serial is missing", "line 8: ", "name is missing", "line 9: ", "control character"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("error %v, want %q", err, s)
		}
	}
}

// A byte order mark is none of a line's characters: lines are read as they are without,
// as UTF-8 and as UTF-16.
func TestReadLeavesOutAByteOrderMark(t *testing.T) {
	const text = "\ufeff" + `{"device_serial":"Gerät 😀","type":"door"}` + "\r\n" + `{"device_serial":"B","type":"door"}` + "\r\n"
	little, big := []byte{}, []byte{}
	for _, unit := range utf16.Encode([]rune(text)) {
		little = binary.LittleEndian.AppendUint16(little, unit)
		big = binary.BigEndian.AppendUint16(big, unit)
	}
	for name, b := range map[string][]byte{"UTF-8": []byte(text), "UTF-16, little": little, "UTF-16, big": big} {
		batches, partly, bad := Read[telemetry.Event](b)
		if partly != nil || bad != nil || len(batches) != 1 || len(batches[0]) != 2 || batches[0][0].Serial != "Gerät 😀" || batches[0][1].Serial != "B" {
			t.Errorf("%s: got %+v, %v, %v; want one batch of \"Gerät 😀\" and B, and no errors", name, batches, partly, bad)
		}
	}
	for _, s := range []string{"", "\ufeff", "\xff\xfe", "\xff\xfe\n", "\xfe\xff\x00\n", "\n \n"} {
		if batches, partly, bad := Read[telemetry.Event]([]byte(s)); len(batches) > 0 || partly != nil || bad != nil {
			t.Errorf("%q: got %+v, %v, %v, want nothing", s, batches, partly, bad)
		}
	}
}

// However many lines there are, each batch fits one message and none is lost.
func TestReadSplitsWhatNoMessageHolds(t *testing.T) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, `{"device_serial":"SN-%d","type":"x","timestamp":%d}`+"\n", i%100, i)
	}
	batches, _, err := Read[telemetry.Event]([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}

	n := 0
	for _, devices := range batches {
		b, err := telemetry.EncodeBatch(devices)
		if err != nil || telemetry.CheckSize(b) != nil {
			t.Fatalf("got %d bytes, errors %v and %v; want a batch of a size that can be sent", len(b), err, telemetry.CheckSize(b))
		}
		for _, d := range devices {
			n += len(d.Samples)
		}
	}

	if n != 20_000 || len(batches) < 2 {
		t.Errorf("got %d events in %d batches, want 20000 in at least 2", n, len(batches))
	}
}

// What the cloud has no place for, or a number cannot hold, is told: the library sends
// both as they are.
func TestReadTellsWhatIsNotSent(t *testing.T) {
	batches, partly, bad := Read[telemetry.Metric]([]byte(`
{"device_serial":"A","name":"t","value":1,"unit":"C"}
{"device_serial":"A","Name":"t","value":9007199254740992,"app_id":9}
{"device_serial":"A","metrics":[{"name":"u","value":9007199254740993},{"name":"v","value":0.1}],"room":5}
{"device_serial":"A","name":"t","value":1e300}
`))
	if len(batches) != 1 || bad != nil || partly == nil {
		t.Fatalf("got %d batches, told %v, error %v; want one batch, what is not sent told, no error", len(batches), partly, bad)
	}
	want := `line 2: "unit" not sent: what is sent is device_serial, app_id, name, value, timestamp
line 4: "room" not sent: what is sent is device_serial, app_id, metrics
the value 9007199254740993 was sent as 9007199254740992, the nearest number of 53 bits`
	if partly.Error() != want {
		t.Errorf("got %q, want %q", partly, want)
	}

	_, partly, bad = Read[telemetry.Event]([]byte(`{"device_serial":"A","type":"door","why":"wind"}`))
	if bad != nil || partly == nil || !strings.HasPrefix(partly.Error(), `line 1: "why" not sent`) {
		t.Errorf("got told %v, error %v; want %q told, no error", partly, bad, `line 1: "why" not sent`)
	}
	for number, want := range map[string]bool{"0": true, "-9007199254740993": false, "18446744073709551615": false, "18446744073709551616": true, "1_000": true, "+5": true, "1.5": true, "007": true} {
		if Exact(number) != want {
			t.Errorf("%s: got exact: %v, want %v", number, !want, want)
		}
	}
}
