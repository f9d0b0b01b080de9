package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mosquitto"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// recorder notes every message that a client publishes.
type recorder struct {
	mochi.HookBase
	messages chan recorded
}

// recorded is a message as the far side gets it.
type recorded struct {
	topic    string
	payload  []byte
	qos      byte
	retained bool
}

func (*recorder) ID() string { return "recorder" }

func (*recorder) Provides(b byte) bool { return b == mochi.OnPublished }

func (r *recorder) OnPublished(cl *mochi.Client, pk packets.Packet) {
	if !cl.Net.Inline {
		r.messages <- recorded{pk.TopicName, pk.Payload, pk.FixedHeader.Qos, pk.FixedHeader.Retain}
	}
}

// recordMosquitto starts mosquitto with a subscriber that records what is published
// and answers boot requests, as the cloud does.
func recordMosquitto(t *testing.T) (*recorder, int) {
	t.Helper()
	var lines []string
	if os.Getuid() == 0 {
		lines = append(lines, "user root")
	}
	b, err := mosquitto.Start(t.TempDir(), lines...)
	if errors.Is(err, mosquitto.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}

	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	r := &recorder{messages: make(chan recorded, 100)}
	cloud := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://%s:%d", b.Host, b.Port)).SetClientID("recorder").SetOrderMatters(false))
	if token := cloud.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}

	t.Cleanup(func() { cloud.Disconnect(100) })
	take := func(_ mqtt.Client, m mqtt.Message) {
		if strings.HasSuffix(m.Topic(), "/PY-1") {
			return // an answer of our own
		}
		r.messages <- recorded{m.Topic(), m.Payload(), m.Qos(), m.Retained()}
		if strings.Contains(m.Topic(), "boot/v0/") {
			cloud.Publish(m.Topic()+"/PY-1", 1, false, `{"token":305419896}`)
		}
	}

	if token := cloud.Subscribe("#", 1, take); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}

	return r, b.Port
}

// published returns the messages of n publishes as text, in order of topic and
// payload: the payload of JSON as values, unpacked, and of anything else as it is.
func (r *recorder) published(t *testing.T, n int) (list []string) {
	t.Helper()
	for range n {
		select {
		case pk := <-r.messages:
			text := fmt.Sprintf("%x", pk.payload)
			if b, err := telemetry.Unpack(pk.payload); err == nil && bytes.HasPrefix(b, []byte("{")) {
				var v any
				if err := json.Unmarshal(b, &v); err != nil {
					t.Fatalf("%s: got %v, want JSON", b, err)
				}
				same, _ := json.Marshal(v) // keys in one order, numbers in one form
				text = fmt.Sprintf("%s compressed %v", same, telemetry.Compressed(pk.payload))
			}
			list = append(list, fmt.Sprintf("%s qos %d retain %v %s", pk.topic, pk.qos, pk.retained, text))
		case <-time.After(2 * time.Minute):
			t.Fatalf("got %d messages, want %d: %q", len(list), n, list)
		}
	}

	select {
	case pk := <-r.messages:
		t.Fatalf("got one more message on %s, want none", pk.topic)
	default:
	}

	slices.Sort(list)
	return list
}

// Both clients publish the same to the same topics of a broker that is not of this
// process: with no group, the default one,
// another, and a prefix.
func testMessages(t *testing.T, l *library, version string) {
	for name, s := range map[string]struct {
		group  string // ours; the library says 0 where it is not told
		prefix string
	}{"no group": {}, "group 0": {group: "0"}, "group g1": {group: "g1"}, "prefix": {group: "0", prefix: "ulogger/"}} {
		if (version == oldest) != (s.group == "") {
			continue // releases up to 1.2.1 have no group, later ones always have one
		}
		t.Run(name, func(t *testing.T) {
			r, port := recordMosquitto(t)
			client := connect(t, mqttv5.Config{Port: port, GroupID: s.group, TopicPrefix: s.prefix})
			info, who := device("PY-1")
			log, dump := formattest.LogBytes(t)[0], formattest.DumpBytes(t)[0]
			at := time.Unix(1732829000, 250_000_000)

			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			metrics := []telemetry.Metric{{Name: "t", Value: 21.5, Time: at}, {Name: `é "`, Value: 1 << 40}}
			events := []telemetry.Event{{Type: "door"}, {Type: "x", Time: at}}
			var many []telemetry.Device[telemetry.Metric]
			for i := range 40 {
				many = append(many, telemetry.Device[telemetry.Metric]{Serial: fmt.Sprint("SN-", i), Samples: metrics})
			}
			ours := []func() (mqttv5.Receipt, error){
				func() (mqttv5.Receipt, error) { return client.UploadLog(ctx, info, log) },
				func() (mqttv5.Receipt, error) { return client.PublishCoreDump(ctx, dump) },
			}
			// The library takes no certificate from us here, and so does metrics and
			// events only with a client that is lent to it.
			with := plain(port, nil)
			if version == newest {
				lent := "lent " + name
				l.call(t, request{Call: "Client", Args: []any{port, lent}, Keep: lent}, nil)
				with = map[string]any{"client": map[string]any{"$kept": lent}, "customer_id": 42, "group_id": s.group, "topic_prefix": s.prefix}
				ours = append(
					ours,
					func() (mqttv5.Receipt, error) { return client.PublishMetrics(ctx, info, metrics) },
					func() (mqttv5.Receipt, error) { return client.PublishEvents(ctx, info, events) },
					func() (mqttv5.Receipt, error) { return client.Heartbeat(ctx, info, time.Time{}) },
					func() (mqttv5.Receipt, error) {
						return client.PublishMetricsBatch(ctx, application, many, telemetry.CompressAuto)
					},
					func() (mqttv5.Receipt, error) {
						return client.PublishMetricsBatch(ctx, application, many[:1], telemetry.CompressAuto)
					},
					func() (mqttv5.Receipt, error) {
						return client.PublishEventsBatch(ctx, application, []telemetry.Device[telemetry.Event]{{Serial: "A", ApplicationID: 9, Samples: events}}, telemetry.CompressAlways)
					},
				)
			}
			for _, f := range ours {
				if _, err := f(); err != nil {
					t.Fatal(err)
				}
			}
			got := r.published(t, len(ours)+1) // and the boot request

			cfg := config(with)
			jsonMetrics := []any{map[string]any{"name": "t", "value": 21.5, "timestamp": 1732829000.25}, map[string]any{"name": `é "`, "value": 1 << 40}}
			jsonEvents := []any{map[string]any{"type": "door"}, map[string]any{"type": "x", "timestamp": 1732829000.25}}
			var jsonMany []any
			for _, d := range many {
				jsonMany = append(jsonMany, map[string]any{"device_serial": d.Serial, "metrics": jsonMetrics})
			}
			for _, call := range []request{
				{Call: "upload_log", Args: []any{who, octets(log), cfg}, With: map[string]any{"store": object("SessionStore", nil)}},
				{Call: "publish_core_dump", Args: []any{octets(dump), cfg}},
				{Call: "publish_metrics", Args: []any{"PY-1", application, jsonMetrics, cfg}},
				{Call: "publish_events", Args: []any{"PY-1", application, jsonEvents, cfg}},
				{Call: "publish_heartbeat", Args: []any{"PY-1", application, cfg}},
				{Call: "publish_metrics_batch", Args: []any{jsonMany, application, cfg}},
				{Call: "publish_metrics_batch", Args: []any{jsonMany[:1], application, cfg}},
				{Call: "publish_events_batch", Args: []any{[]any{map[string]any{"device_serial": "A", "app_id": 9, "events": jsonEvents}}, application, cfg}, With: map[string]any{"compress": true}},
			}[:len(ours)] {
				var ok bool
				if l.call(t, call, &ok); !ok {
					t.Errorf("%s: got %v of the library, want true", call.Call, ok)
				}
			}
			want := r.published(t, len(ours)+1)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("got  %.300s\nwant %.300s as the library", got[i], want[i])
				}
			}
			if version == newest {
				l.call(t, request{Call: "lent " + name + ".disconnect"}, nil)
			}
		})
	}
	table := newLedger("prefix")
	for _, prefix := range []string{"", "ulogger/", "a/b/", "ulogger", "x-", "a#/", "boot/v0/"} {
		_, err := mqttv5.New(mqttv5.Config{Broker: "127.0.0.1", InsecurePlaintext: true, CustomerID: customer, TopicPrefix: prefix})
		table.compare(t, prefix, fmt.Sprint(err == nil), "true") // it puts anything before its topics
	}
	table.done(t)
}

// The sizes at which batches are compressed and refused are the library's.
func testBatchSizes(t *testing.T, l *library) {
	b := startBroker(t, nothing, nothing)
	r := &recorder{messages: make(chan recorded, 100)}
	if err := b.server.AddHook(r, nil); err != nil {
		t.Fatal(err)
	}
	client := connect(t, mqttv5.Config{Port: b.port, GroupID: "0"})
	l.call(t, request{Call: "Client", Args: []any{b.port, "sizes"}, Keep: "sizes"}, nil)
	cfg := config(map[string]any{"client": map[string]any{"$kept": "sizes"}, "customer_id": 42})
	for _, size := range []int{1024, 1025, 131072, 131073} {
		// A batch of so many bytes of JSON, as the library writes it: blanks after ':'
		// and ','. Ours has none of these, so each gets a batch of its own size.
		sized := func(list int) (pad []byte) { return bytes.Repeat([]byte("x"), list) }
		theirs := func(n int) []any {
			return []any{map[string]any{"device_serial": "S", "events": []any{map[string]any{"type": string(sized(n))}}}}
		}
		overhead := len(`{"devices": [{"device_serial": "S", "events": [{"type": ""}]}]}`)
		compress := any("auto")
		how := telemetry.CompressAuto
		if size > 10_000 {
			compress, how = false, telemetry.CompressNever
		}
		var ok bool
		l.call(t, request{Call: "publish_events_batch", Args: []any{theirs(size - overhead), application, cfg}, With: map[string]any{"compress": compress}}, &ok)

		devices := []telemetry.Device[telemetry.Event]{{Serial: "S"}}
		rest := size - len(`{"devices":[{"device_serial":"S","events":[]}]}`)
		for rest > 0 { // names are at most 256 bytes long
			n := min(rest, 200)
			if rest-n > 0 && rest-n < 50 {
				n -= 50
			}
			name := n - len(`{"type":""}`)
			if len(devices[0].Samples) > 0 {
				name-- // a comma
			}
			devices[0].Samples = append(devices[0].Samples, telemetry.Event{Type: string(sized(name))})
			rest -= n
		}
		if b, err := telemetry.EncodeBatch(devices); err != nil || len(b) != size {
			t.Fatalf("a batch of %d bytes, want %d, %v", len(b), size, err)
		}
		_, err := client.PublishEventsBatch(t.Context(), application, devices, how)
		if ok != (err == nil) {
			t.Errorf("%d bytes: got error %v, want success as of the library: %v", size, err, ok)
		}
		if !ok {
			continue
		}
		first, second := <-r.messages, <-r.messages
		if a, b := telemetry.Compressed(first.payload), telemetry.Compressed(second.payload); a != b || a != (size == 1025) {
			t.Errorf("%d bytes: got compressed %v by the library and %v by ours, want both %v", size, a, b, size == 1025)
		}
	}
	l.call(t, request{Call: "sizes.disconnect"}, nil)
}
