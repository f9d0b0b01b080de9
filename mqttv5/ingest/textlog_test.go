package ingest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

const textHeader = `{"sequence":4,"device_type":"board","version":"v1.2","git":"3f2c9a1","serial":"SN-1"}` + "\n"

func TestParseTextLogTellsTimesFromUptimes(t *testing.T) {
	log, err := ParseTextLog([]byte(textHeader + "{\"t\":1795867200.5,\"lv\":1,\"m\":\"a\"}\r\n\n{\"t\":12,\"lv\":5,\"m\":\"\"}"))
	if err != nil || log.Serial != "SN-1" || log.Sequence != 4 || len(log.Lines) != 2 {
		t.Fatalf("got %+v, error %v, want serial SN-1, sequence 4 and 2 lines", log, err)
	}
	first, second := log.Lines[0], log.Lines[1]
	if at, ok := first.Time(); !ok || !at.Equal(time.Unix(1795867200, 500_000_000)) || first.Level != format.LevelDebug {
		t.Errorf("got first line %+v at %v, known %v, want level debug at 1795867200.5", first, at, ok)
	}
	if up, ok := second.Uptime(); !ok || up != 12 || second.Level != format.LevelCritical {
		t.Errorf("got second line %+v, uptime %v, known %v, want level critical and uptime 12", second, up, ok)
	}
	if _, ok := second.Time(); ok {
		t.Error("got a time of the day from a clock that does not know it, want none")
	}
}

// All kinds are stored, behind any prefix and with a group, and what is not intact
// goes into quarantine with the reason.
func TestAllKindsAreStoredBehindAPrefix(t *testing.T) {
	b, sink, quarantine := newFakeBroker(t), newMemorySink(), newMemorySink()
	conn := onLoopback(b.port())
	conn.TopicPrefix = "site/"
	startWorker(t, Config{Connection: conn, Sink: sink, Quarantine: quarantine})
	c := b.next()
	if got := strings.Join(c.filters, " "); !strings.Contains(got, "$share/g/site/metrics/v0/7/#") || strings.Count(got, "site/") != 7 {
		t.Errorf("got filters %s, want 7 below site/, one of them $share/g/site/metrics/v0/7/#", got)
	}

	metrics := []byte(`{"device_serial":"S","metrics":[{"name":"x","value":1}]}`)
	packed, _ := telemetry.Compress(metrics, telemetry.CompressAlways)
	line := `{"t":1,"lv":2,"m":"a"}`
	messages := []struct {
		topic, payload string
		kind           Kind
		reason         string
	}{
		{"site/logs/v0/7/42", textHeader + line, KindTextLog, ""},
		{"site/logs/v0/7/G/42", textHeader, KindTextLog, ""},
		{"site/metrics/v0/7/42", string(metrics), KindMetrics, ""},
		{"site/metrics/v0/7/G/42", string(packed), KindMetrics, ""},
		{"site/events/v0/7/42", `{"device_serial":"S","events":[{"type":"x"}]}`, KindEvents, ""},
		{"site/logs/v0/7/42", "", KindTextLog, "empty"},
		{"site/logs/v0/7/42", "hello", KindTextLog, "line 1: header"},
		{"site/logs/v0/7/42", `{"sequence":1}`, KindTextLog, "serial is missing"},
		{"site/logs/v0/7/42", textHeader + line + "\nhello", KindTextLog, "line 3: "},
		{"site/logs/v0/7/42", textHeader + `{"t":1,"lv":9,"m":"a"}`, KindTextLog, "line 2: lv 9"},
		{"site/logs/v0/7/42", textHeader + `{"t":1,"lv":0,"m":"a"}`, KindTextLog, "line 2: lv 0"},
		{"site/logs/v0/7/42", textHeader + `{"lv":1,"m":"a"}`, KindTextLog, "t is missing"},
		{"site/logs/v0/7/42", textHeader + `{"t":1,"m":"a"}`, KindTextLog, "lv is missing"},
		{"site/logs/v0/7/42", textHeader + `{"t":1,"lv":1}`, KindTextLog, "m is missing"},
		{"site/metrics/v0/7/42", `{"device_serial":"S","metrics":[]}`, KindMetrics, "has no metrics"},
		{"site/metrics/v0/7/42", string(packed[:len(packed)-9]), KindMetrics, "unpack"},
		{"site/events/v0/7/42", string(metrics), KindEvents, "has no events"},
		{"site/metrics/v0/7/G/42/x", string(metrics), KindUnknown, "topic"},
	}
	for i, m := range messages {
		c.publish(uint16(i+1), m.topic, "", []byte(m.payload))
	}
	c.expectAcks(1, len(messages))
	good, bad := sink.all(), quarantine.all()
	if len(good) != 5 || len(bad) != len(messages)-5 {
		t.Fatalf("got %d stored and %d in quarantine, want 5 and %d", len(good), len(bad), len(messages)-5)
	}
	for i, r := range append(good, bad...) {
		m := messages[i]
		if r.Kind != m.kind || r.Topic != m.topic || !bytes.Equal(r.Payload, []byte(m.payload)) || (r.Reason == "") != (m.reason == "") || !strings.Contains(r.Reason, m.reason) {
			t.Errorf("message %d: %v on %s, reason %q, want %v and %q", i, r.Kind, r.Topic, r.Reason, m.kind, m.reason)
		}
	}
}

// Sinks hold these numbers.
func TestKindsKeepTheirNumbers(t *testing.T) {
	for n, want := range []string{"unknown", "log", "core-dump", "text-log", "metrics", "events", "kind(6)"} {
		if got := Kind(n).String(); got != want {
			t.Errorf("kind %d is %s, want %s", n, got, want)
		}
	}
}
