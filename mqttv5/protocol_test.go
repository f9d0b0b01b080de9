package mqttv5

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// The topics of FORMAT section 5.
func TestTopicsAreThoseOfTheFormat(t *testing.T) {
	dev := DeviceInfo{ApplicationID: 42, DeviceSerial: "S", DeviceType: "D"}
	for _, c := range []struct{ customer, group, want string }{
		{"C", "", "boot/v0/C/42 boot/v0/C/42/S binlog/v0/C/42 core-dump/v0/C logs/v0/C/42 config/v0/C/42/S upload/v0/firmware/C/D upload/v0/C/9"},
		{"C", "G", "boot/v0/C/G/42 boot/v0/C/G/42/S binlog/v0/C/G/42 core-dump/v0/C/G logs/v0/C/G/42 config/v0/C/G/42/S upload/v0/firmware/C/G/D upload/v0/C/G/9"},
	} {
		p := &Client{cfg: Config{CustomerID: c.customer, GroupID: c.group}}
		got := strings.Join([]string{
			p.topic(topic.BootRequest, dev), p.topic(topic.BootReply, dev), p.topic(topic.Log, dev), p.topic(topic.CoreDump, dev), p.topic(topic.TextLog, dev),
			p.topic(topic.LogConfig, dev), p.name(topic.Topic[string]{Kind: topic.FirmwareRequest, DeviceType: "D"}), p.name(topic.Topic[string]{Kind: topic.FirmwareReply, UploadID: "9"}),
		}, " ")
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Whatever a device calls itself, it stays within its segment, or is refused.
func FuzzTopics(f *testing.F) {
	for _, s := range []string{"SN1", "#", "+", "a/b", "\x00", "$share", "é", "\u2028", "\xff", strings.Repeat("x", 65), "a\u0085b", "\uFEFFx", "..", ""} {
		f.Add(s, "board")
	}
	f.Add("SN1", "") // a device need not say its type; firmware is of a type
	f.Fuzz(func(t *testing.T, serial, kind string) {
		d := DeviceInfo{ApplicationID: 1, DeviceSerial: serial, DeviceType: kind}
		if d.Validate() != nil {
			return
		}
		p := &Client{cfg: Config{CustomerID: "C", GroupID: "G"}}
		names := []string{p.topic(topic.BootReply, d), p.topic(topic.LogConfig, d)}
		if kind != "" {
			names = append(names, p.name(topic.Topic[string]{Kind: topic.FirmwareRequest, DeviceType: kind}))
		}
		for _, name := range names {
			if n := strings.Count(name, "/"); n != 5 || strings.ContainsAny(name, "#+\x00\n") || len(name) > 256 {
				t.Fatalf("serial %q: got topic %q of %d levels, want 6 that no device can leave", serial, name, n+1)
			}
		}
	})
}

func TestConfigFillsDefaultsAndNamesBadFields(t *testing.T) {
	c, err := withDefaults(Config{CustomerID: "7", CertFile: "c", KeyFile: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if address(c) != "mqtt.ulogger.ai:8883" || c.TokenTimeout != 15*time.Second || c.Tuning.KeepAlive != time.Minute ||
		!strings.HasPrefix(c.Tuning.ClientID, "cust-7-uploader-") || c.Store == nil || c.Tuning.MaxMessage != 131072 {
		t.Errorf("got %s and %+v, want mqtt.ulogger.ai:8883, TokenTimeout 15s, KeepAlive 1m0s, ClientID cust-7-uploader-..., a Store and MaxMessage 131072",
			address(c), c)
	}

	for want, edit := range map[string]func(*Config){
		"CustomerID is empty":       func(c *Config) { c.CustomerID = "" },
		"CustomerID: character '/'": func(c *Config) { c.CustomerID = "a/b" },
		"no customer is called":     func(c *Config) { c.CustomerID = "firmware" }, // a word of topics
		"GroupID: character '#'":    func(c *Config) { c.GroupID = "#" },
		"not a host name":           func(c *Config) { c.Broker = "mqtts://x" },
		"holds a port":              func(c *Config) { c.Broker = "x:8883" },
		"Port -1":                   func(c *Config) { c.Port = -1 },
		"CertFile is empty":         func(c *Config) { c.CertFile = "" },
		"KeyFile is empty":          func(c *Config) { c.KeyFile = "" },
		"loopback only":             func(c *Config) { c.InsecurePlaintext = true },
		"TokenTimeout":              func(c *Config) { c.TokenTimeout = -1 },
		"KeepAlive":                 func(c *Config) { c.Tuning.KeepAlive = time.Millisecond },
		"MaxInFlight":               func(c *Config) { c.Tuning.MaxInFlight = 70000 },
		"MaxMessage":                func(c *Config) { c.Tuning.MaxMessage = 1 << 20 },
		"MaxBackoff":                func(c *Config) { c.Tuning.MaxBackoff = time.Millisecond },
		"ClientID":                  func(c *Config) { c.Tuning.ClientID = "a\x00" },
	} {
		c := Config{CustomerID: "7", CertFile: "c", KeyFile: "k"}
		edit(&c)
		if _, err := New(c); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %v that says %q", err, ErrConfig, want)
		}
	}
}

func TestConnectIsCleanAndPublishHasItsRecordID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			if m, ok := p.Content.(*packets.Connect); ok {
				q := m.Properties
				if !m.CleanStart || q.SessionExpiryInterval == nil || *q.SessionExpiryInterval != 0 || q.ReceiveMaximum == nil || *q.ReceiveMaximum > 64 ||
					q.MaximumPacketSize == nil || *q.MaximumPacketSize != 132<<10 || m.KeepAlive != 60 || m.ClientID != "gateway" {
					t.Errorf("got %v, want CleanStart, SessionExpiryInterval 0, ReceiveMaximum 64 at most, MaximumPacketSize %d, KeepAlive 60 and ClientID gateway",
						m, 132<<10)
				}
			}
			return false
		}

		c := fakeClient(t, b, nil)
		r, err := c.PublishText(t.Context(), testDevice(1), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		p := b.Published()[0]
		if p.QoS != 1 || p.Retain || p.Duplicate || p.Properties.TopicAlias != nil || p.Properties.ContentType != contentText || mqtttest.RecordID(p) != r[0].ID {
			t.Errorf("got %v, want QoS 1, Retain and Duplicate false, no TopicAlias, ContentType %s and the record id %s", p, contentText, r[0].ID)
		}

		c.Close()
		b.Stop()
	})
}

// The keep-alive that the server names is kept, and one that takes no QoS 1 is
// refused.
func TestKeepAliveAndQoSOfTheServerAreHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		keepAlive := uint16(10)
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) { ca.Properties.ServerKeepAlive = &keepAlive }
		pinged := make(chan time.Time, 100)
		b.OnPacket = func(_ *mqtttest.Conn, p *packets.ControlPacket) bool {
			if p.Type == packets.PINGREQ {
				pinged <- time.Now()
			}
			return false
		}

		c := fakeClient(t, b, nil)
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if d := (<-pinged).Sub(start); d > 10*time.Second {
			t.Errorf("got the first ping after %v, want 10 s at most", d)
		}

		c.Close()
		b.Stop()
	})

	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		qos := byte(0)
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) { ca.Properties.MaximumQOS = &qos }
		c := fakeClient(t, b, nil)
		if err := c.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "QoS 1") {
			t.Errorf("got %v, want an error that says \"QoS 1\"", err)
		}
		c.Close()
		b.Stop()
	})
}

func TestRefusedLoginSaysCodeAndReason(t *testing.T) {
	for _, code := range []ReasonCode{ReasonBadClientID, ReasonNotAuthorized, ReasonUnsupportedVersion, ReasonServerBusy} {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) {
				ca.ReasonCode, ca.Properties.ReasonString = byte(code), "because"
			}
			c := fakeClient(t, b, nil)
			err := c.Connect(t.Context())
			var e *Error
			if !errors.Is(err, ErrRefused) || !errors.As(err, &e) || e.Code != code || !strings.Contains(err.Error(), code.String()) || !strings.Contains(err.Error(), "because") {
				t.Errorf("got %v, want %v with Code %v that says %q and \"because\"", err, ErrRefused, code, code)
			}
			c.Close()
			b.Stop()
		})
	}
}

// Repeating the call repeats the record ids, in another process too; what differs in
// any other way has others.
func TestRepeatedTextsKeepTheirRecordIDs(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	entries := func(first string) []TextEntry {
		e := []TextEntry{{Time: 1, Level: format.LevelInfo, Text: first}}
		for n := range 6000 {
			e = append(e, TextEntry{Time: int64(n), Level: format.LevelInfo, Text: ""})
		}
		return e
	}

	publish := func(first uint64, dev DeviceInfo, entries []TextEntry) (ids []string) {
		t.Helper()
		c := newClient(t, cloudConfig(cloud))
		c.texts.StartAt(first)
		receipts, err := c.PublishText(within(t), dev, entries)
		if err != nil || len(receipts) < 2 {
			t.Fatalf("got %d receipts, %v, want 2 or more", len(receipts), err)
		}
		for _, r := range receipts {
			ids = append(ids, r.ID)
		}
		return ids
	}

	// Sequence numbers of one digit and of nineteen.
	ids := publish(1, testDevice(1), entries("a"))
	if again := publish(1<<63, testDevice(1), entries("a")); !slices.Equal(ids, again) {
		t.Errorf("got ids %q, want %q again", again, ids)
	}

	// A header longer by 18 bytes would move the end of a batch of lines of 25, here
	// or there.
	long := entries("a" + strings.Repeat("b", 12))
	if first, again := publish(1, testDevice(1), long), publish(1<<63, testDevice(1), long); !slices.Equal(first, again) {
		t.Errorf("got ids %q, want %q again", again, first)
	}

	same := make([]TextEntry, 3000) // whole batches are alike
	for i := range same {
		same[i] = TextEntry{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", 100)}
	}
	seen := map[string]bool{}
	for _, id := range slices.Concat(ids, publish(1, testDevice(2), entries("a"))) {
		if seen[id] {
			t.Errorf("got id %s twice, want once", id)
		}
		seen[id] = true
	}

	other := publish(1, testDevice(1), entries("b"))
	if other[0] == ids[0] {
		t.Errorf("got id %s for other entries, want another", other[0])
	}
	seen = map[string]bool{}
	for _, id := range publish(1, testDevice(1), same) {
		if seen[id] {
			t.Errorf("got id %s for two batches of one call, want ids that differ", id)
		}
		seen[id] = true
	}
}

func TestTextsArriveWholeInBatches(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	c := newClient(t, cloudConfig(cloud))
	var entries []TextEntry
	for n := range 3000 {
		entries = append(entries, TextEntry{Time: int64(n), Level: format.LevelInfo, Text: strings.Repeat("<&>", 30)})
	}
	receipts, err := c.PublishText(within(t), testDevice(1), entries)
	if err != nil || len(receipts) < 3 {
		t.Fatalf("got %d receipts, %v, want 3 or more", len(receipts), err)
	}

	lines := 0
	for _, g := range cloud.Received() {
		if g.Err != nil || g.Kind != localcloud.KindText || g.Bytes >= 128<<10 || g.DeviceSerial != "SN00001" {
			t.Errorf("got %v of %q, %d bytes, error %v; want %v of \"SN00001\", less than %d, none",
				g.Kind, g.DeviceSerial, g.Bytes, g.Err, localcloud.KindText, 128<<10)
		}
		lines += bytes.Count(g.Payload, []byte("\n")) - 1
	}
	if lines != len(entries) {
		t.Errorf("got %d lines, want %d", lines, len(entries))
	}
}

// A watcher subscribes again after a loss, and what cannot be read is reported.
func TestWatchLogConfigGoesOnAfterALoss(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	cfg := cloudConfig(cloud)
	cfg.Tuning.MinBackoff = 10 * time.Millisecond
	notices := make(chan error, 8)
	cfg.Hooks.Event = func(e Event) {
		if e.Kind == EventNotice {
			notices <- e.Err
		}
	}

	c := newClient(t, cfg)
	topic := "config/v0/975773647/42/SN00001"
	got := make(chan LogConfig, 8)
	ended := make(chan error, 1)
	ctx := within(t)
	go func() {
		for v, err := range c.WatchLogConfig(ctx, testDevice(1)) {
			if err != nil {
				ended <- err
				return
			}
			got <- v
		}
		ended <- nil
	}()

	// Publish until it arrives: only then is the subscription known to work.
	expect := func(level byte) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := cloud.Publish(topic, []byte{level, 0xff, 0xff, 0xff, 0xff, 60, 0, 0, 0}); err != nil {
				t.Fatal(err)
			}
			select {
			case v := <-got:
				if v.Level == format.Level(level) && v.Timeout == time.Minute {
					return
				}
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("got no configuration of level %d in time, want one", level)
			}
		}
	}

	expect(1)
	if err := cloud.Publish(topic, []byte{9}); err != nil {
		t.Fatal(err)
	}
	if err := <-notices; !errors.Is(err, ErrBadData) || !strings.Contains(err.Error(), topic) {
		t.Errorf("got notice %v, want %v that names %s", err, ErrBadData, topic)
	}

	cloud.Disconnect()
	expect(2)
	c.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("got an end by %v, want %v", err, ErrClosed)
	}
}

func TestCollectorCountsWhatHappened(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true, Strict: localcloud.Strict{NoSubscriber: true}})
	cfg := cloudConfig(cloud)
	cfg.AllowNoSubscriber = true
	c := newClient(t, cfg)
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(NewCollector(c, o)); err != nil {
		t.Fatal(err)
	}

	submitLogs(t, o, 2, 2)
	stop := deliverIn(t, c, o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP ulogkit_mqtt_connects_total Connections that came up.
# TYPE ulogkit_mqtt_connects_total counter
ulogkit_mqtt_connects_total 1
# HELP ulogkit_mqtt_no_subscriber_total Messages acknowledged although nobody was subscribed.
# TYPE ulogkit_mqtt_no_subscriber_total counter
ulogkit_mqtt_no_subscriber_total 4
# HELP ulogkit_mqtt_registrations_total Boot handshakes that gave a token.
# TYPE ulogkit_mqtt_registrations_total counter
ulogkit_mqtt_registrations_total 2
# HELP ulogkit_mqtt_up 1 while a connection is up.
# TYPE ulogkit_mqtt_up gauge
ulogkit_mqtt_up 1
# HELP ulogkit_outbox_accepted_total Records accepted since the outbox was made.
# TYPE ulogkit_outbox_accepted_total counter
ulogkit_outbox_accepted_total 4
# HELP ulogkit_outbox_delivered_total Records delivered since the outbox was made.
# TYPE ulogkit_outbox_delivered_total counter
ulogkit_outbox_delivered_total 4
# HELP ulogkit_outbox_waiting_records Records to be delivered.
# TYPE ulogkit_outbox_waiting_records gauge
ulogkit_outbox_waiting_records 0
`), "ulogkit_mqtt_connects_total", "ulogkit_mqtt_no_subscriber_total", "ulogkit_mqtt_registrations_total", "ulogkit_mqtt_up",
		"ulogkit_outbox_accepted_total", "ulogkit_outbox_delivered_total", "ulogkit_outbox_waiting_records")
	if err != nil {
		t.Error(err)
	}

	list, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, m := range list {
		if m.GetName() == "ulogkit_mqtt_puback_seconds" && m.Metric[0].Histogram.GetSampleCount() != 4 {
			t.Errorf("got histogram %v, want 4 samples", m)
		}
	}

	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("got problems %v, %v, want none", problems, err)
	}
}

func TestDiagnoseNamesTheFaultAndPublishesNothing(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	run := func(edit func(*Config, *DeviceInfo)) (good int, bad []Finding) {
		cfg, dev := cloudConfig(cloud), testDevice(1)
		if edit != nil {
			edit(&cfg, &dev)
		}
		for f := range Diagnose(within(t), cfg, dev) {
			if f.OK {
				good++
			} else {
				bad = append(bad, f)
				if f.Remedy == "" {
					t.Errorf("%s: got no remedy for %q, want one", f.Check, f.Detail)
				}
			}
		}
		return good, bad
	}

	if good, bad := run(nil); good != 9 || len(bad) != 0 {
		t.Errorf("healthy: got %d good and bad %+v, want 9 and none", good, bad)
	}
	if n := len(cloud.Received()); n != 0 {
		t.Errorf("got %d messages, want none", n)
	}

	for want, edit := range map[string]func(*Config, *DeviceInfo){
		"configuration":        func(c *Config, _ *DeviceInfo) { c.CustomerID = "" },
		"certificate and key":  func(c *Config, _ *DeviceInfo) { c.KeyFile += ".none" },
		"name resolution":      func(c *Config, _ *DeviceInfo) { c.Broker = "no-such-host.invalid" },
		"connection and login": func(c *Config, _ *DeviceInfo) { c.Port = 1 },
	} {
		if _, bad := run(edit); len(bad) != 1 || bad[0].Check != want {
			t.Errorf("got bad %+v, want the check %q alone", bad, want)
		}
	}
}
