package localcloud

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// A topic typed wrong is what one runs a stand-in for: each such message is kept and
// its line says what is wrong (case seed/cloud-unknown-topic).
func TestUnknownTopicIsKeptAndExplained(t *testing.T) {
	for _, s := range []struct{ prefix, topic, want string }{
		{"", "ulogger/binlog/v0/42/9/7", `the prefix "ulogger/" is not expected`},
		{"", "binlog/v1/42/9/7", `the version is "v1" and not "v0"`},
		{"", "Binlog/v0/42/7", `"Binlog" is written "binlog"`},
		{"", "binlog/v0/42/9/abc", `application "abc" is not a number`},
		{"", "binlog/v0/42", "has not the segments of a topic that begins with binlog/v0"},
		{"", "core-dump/v0/42/9/7", "has not the segments"},
		{"", "telemetry/42", "no topic of the cloud"},
		{"ulogger/", "binlog/v0/42/7", `the prefix is "" and not "ulogger/"`},
		{"ulogger/", "ulogger/logs/v2/42/7", `the version is "v2"`},
	} {
		log := &lines{}
		c := start(t, Config{Plaintext: true, Dir: t.TempDir(), Prefix: s.prefix, Logger: slog.New(slog.NewTextHandler(log, nil))})
		p := dial(t, c)
		receive[*packets.Connack](p)
		if code := p.publish(s.topic, []byte("x"), ""); code != 0 {
			t.Errorf("%s: got PUBACK 0x%02x, want 0x00", s.topic, code)
		}
		all := c.Received()
		if len(all) != 1 || all[0].Kind != KindUnknown || all[0].Err == nil || !strings.Contains(all[0].Err.Error(), s.want) {
			t.Errorf("%s: got %+v received, want one of an unknown kind with error %q", s.topic, all, s.want)
			continue
		}
		if b, err := os.ReadFile(all[0].File); err != nil || string(b) != "x" {
			t.Errorf("%s: got %q, %v in the file, want \"x\"", s.topic, b, err)
		}
		if got := strings.ReplaceAll(log.String(), `\"`, `"`); !strings.Contains(got, "not understood") || !strings.Contains(got, s.want) {
			t.Errorf("%s: got log %s, want \"not understood\" and %q in it", s.topic, got, s.want)
		}
	}
}

// The real cloud takes metrics and events, and no topic that it does not have: with
// its limits that ends the connection, whatever the customer (case
// seed/cloud-strict-metrics).
func TestStrictCloudTakesOnlyItsTopics(t *testing.T) {
	for _, customer := range []string{"", "42"} {
		cfg := Config{Plaintext: true, CustomerID: customer, Strict: AWS()}
		told := violations(&cfg)
		c := start(t, cfg)
		p := dialAs(t, c, "good", 60)
		receive[*packets.Connack](p)
		for _, topic := range []string{"metrics/v0/42/0/7", "events/v0/42/7"} {
			if code := p.publish(topic, []byte("{}"), ""); code != 0 {
				t.Errorf("%s: got PUBACK 0x%02x, want 0x00", topic, code)
			}
		}

		for _, topic := range []string{"metrics/v1/42/0/7", "config/v0/42/7/S", "else"} {
			p := dialAs(t, c, topic, 60)
			receive[*packets.Connack](p)
			p.send(&packets.Publish{Topic: topic, Payload: []byte("x"), QoS: 1, PacketID: 1, Properties: &packets.Properties{}})
			if d := receive[*packets.Disconnect](p); d.ReasonCode != 0x87 {
				t.Errorf("%s: got DISCONNECT 0x%02x, want 0x87", topic, d.ReasonCode)
			}
			if v := <-told; v.ClientID != topic || !strings.Contains(v.Reason, "no right to publish") {
				t.Errorf("got violation %+v, want one of %q, for no right to publish", v, topic)
			}
		}
	}
}

// With a prefix the handshake and all messages have it.
func TestPrefixStandsBeforeEveryTopic(t *testing.T) {
	c := start(t, Config{Plaintext: true, CustomerID: "7", Prefix: "site/ulogger/", LogConfig: []byte{1, 0, 0, 0, 0, 0, 0, 0, 0}})
	p := dial311(t, c, "gateway")
	p.send(packet(0x82, []byte{0, 1}, text("site/ulogger/boot/v0/7/0/42/SN"), []byte{1}))
	p.expect("9003000101")
	p.send(publish311(2, "site/ulogger/boot/v0/7/0/42", []byte(`{"serial":"SN"}`)))
	p.expect("40020002")
	p.expect("32")
	if _, ok := c.Token(42, "SN"); !ok {
		t.Error("got no token of SN, want one")
	}
	if _, err := Start(t.Context(), Config{Plaintext: true, Prefix: "a+/"}); err == nil {
		t.Error("got a prefix with a wildcard taken, want an error")
	}
}

// A batch is of all its devices, compressed or not, and its file says what it is.
func TestReportIsOfAllItsDevices(t *testing.T) {
	c := start(t, Config{Plaintext: true, Dir: t.TempDir()})
	p := dial(t, c)
	receive[*packets.Connack](p)
	batch, err := telemetry.EncodeBatch([]telemetry.Device[telemetry.Event]{
		{Serial: "A", Samples: []telemetry.Event{{Type: "x"}}}, {Serial: "B", Samples: []telemetry.Event{{Type: "y"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	packed, _ := telemetry.Compress(batch, telemetry.CompressAlways)
	for _, b := range [][]byte{batch, packed} {
		p.publish("events/v0/7/0/42", b, "")
	}
	all := c.Received()
	for i, ext := range []string{".json", ".json.gz"} {
		r := all[i]
		if r.Err != nil || r.Kind != KindEvents || strings.Join(r.Devices, " ") != "A B" || r.DeviceSerial != "" || !strings.HasSuffix(r.File, "events-42-unknown"+ext) {
			t.Errorf("got %+v, want good events of A and B, of no single device, in a file events-42-unknown%s", r, ext)
		}
	}
}

// A duplicate is what was sent once and came twice. Equal bytes on another topic are of
// another application, and a heartbeat without a time is another each time; with one,
// or with a record id, it is the same.
func TestDuplicateIsWhatCameTwice(t *testing.T) {
	c := start(t, Config{Plaintext: true})
	p := dial(t, c)
	receive[*packets.Connack](p)
	log := sample(t, p.register(c, "SN"))

	const (
		beat  = `{"device_serial":"S","metrics":[{"name":"heartbeat","value":1}]}`
		timed = `{"device_serial":"S","metrics":[{"name":"heartbeat","value":1,"timestamp":5}]}`
		mixed = `{"devices":[{"device_serial":"S","events":[{"type":"a","timestamp":5},{"type":"b"}]}]}`
		text  = "{\"sequence\":1,\"serial\":\"s\"}\n{\"t\":1,\"lv\":2,\"m\":\"x\"}\n"
	)
	unique := 0
	for _, s := range []struct {
		topic, payload, id string
		want               bool
	}{
		{"binlog/v0/7/42", string(log), "", false},
		{"binlog/v0/7/42", string(log), "", true},
		{"binlog/v0/7/g/42", string(log), "", false},
		{"binlog/v0/7/43", string(log), "", false},
		{"binlog/v0/7/42", string(log), "a", false},
		{"binlog/v0/7/g/42", string(log), "a", false},
		{"binlog/v0/7/42", string(log), "a", true},
		{"core-dump/v0/7", "x", "", false},
		{"core-dump/v0/7", "x", "", true},
		{"logs/v0/7/42", text, "", false},
		{"logs/v0/7/42", text, "", true},
		{"metrics/v0/7/42", beat, "", false},
		{"metrics/v0/7/42", beat, "", false},
		{"metrics/v0/7/42", beat, "b", false},
		{"metrics/v0/7/42", beat, "b", true},
		{"metrics/v0/7/42", timed, "", false},
		{"metrics/v0/7/42", timed, "", true},
		{"metrics/v0/7/43", timed, "", false},
		{"events/v0/7/42", mixed, "", false},
		{"events/v0/7/42", mixed, "", false},
		{"else", "x", "", false},
		{"else", "x", "", false},
	} {
		if code := p.publish(s.topic, []byte(s.payload), s.id); code != 0 {
			t.Errorf("%s: got PUBACK 0x%02x, want 0x00", s.topic, code)
		}
		all := c.Received()
		if r := all[len(all)-1]; r.Duplicate != s.want {
			t.Errorf("%d: %s %q with id %q: got duplicate %v, want %v", len(all), s.topic, s.payload, s.id, r.Duplicate, s.want)
		}
		if !s.want {
			unique++
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if all, err := c.WaitReceived(now, unique); err != nil || len(all) != 22 {
		t.Errorf("got %d received, %v, want 22 with %d different", len(all), err, unique)
	}
	if _, err := c.WaitReceived(now, unique+1); err == nil {
		t.Errorf("got more than %d different messages, want no more", unique)
	}
}
