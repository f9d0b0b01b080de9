package oracle

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/cloud"
)

// Whom both sides are in every check.
const (
	customer    = "42"
	application = 7
	gitHash     = "3f2c9a1"
)

// enough is how long whoever is answered waits at most, in seconds: on a busy machine
// too, what comes is in time.
const enough = 120.0

// device returns one for each side.
func device(serial string) (ours mqttv5.DeviceInfo, theirs any) {
	ours = mqttv5.DeviceInfo{ApplicationID: application, DeviceSerial: serial, DeviceType: "lamp", GitVersion: "v1.0.0", GitHash: gitHash}
	return ours, object("DeviceInfo", map[string]any{
		"application_id": application, "device_serial": serial, "device_type": "lamp", "git_version": "v1.0.0", "git_hash": gitHash,
	})
}

// broker is one that a test makes say what it wants.
type broker struct {
	server *mochi.Server
	port   int
}

// messages returns what is said to a device, in this order.
type messages func(serial string) []string

func nothing(string) []string { return nil }

// answers is the hook that replies to boot requests, and to subscriptions.
type answers struct {
	mochi.HookBase
	server  *mochi.Server
	boot    messages
	configs messages
}

func (*answers) ID() string { return "answers" }

func (*answers) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnPublished || b == mochi.OnSubscribed
}

func (*answers) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*answers) OnACLCheck(*mochi.Client, string, bool) bool { return true }

func (a *answers) OnPublished(cl *mochi.Client, pk packets.Packet) {
	if cl.Net.Inline || !strings.Contains(pk.TopicName, "boot/v0/") {
		return
	}
	var asked cloud.BootRequest
	if err := json.Unmarshal(pk.Payload, &asked); err != nil {
		return // nobody is told, and whoever asked says so
	}
	for _, m := range a.boot(asked.Serial) {
		a.server.Publish(pk.TopicName+"/"+asked.Serial, []byte(m), false, 1)
	}
}

func (a *answers) OnSubscribed(_ *mochi.Client, pk packets.Packet, _ []byte) {
	for _, f := range pk.Filters {
		if !strings.Contains(f.Filter, "config/v0/") {
			continue
		}
		for _, m := range a.configs(f.Filter[strings.LastIndexByte(f.Filter, '/')+1:]) {
			a.server.Publish(f.Filter, []byte(m), false, 1)
		}
	}
}

// startBroker starts a broker that answers with what boot and configs return.
func startBroker(t *testing.T, boot, configs messages) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(&answers{server: s, boot: boot, configs: configs}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.AddListener(listeners.NewNet("test", l)); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &broker{s, l.Addr().(*net.TCPAddr).Port}
}

// plain is the library's configuration for a broker without TLS. It has no group
// where that is nil: releases up to 1.2.1 know none.
func plain(port int, group any) map[string]any {
	with := map[string]any{"broker": "127.0.0.1", "port": port, "customer_id": 42, "token_timeout": enough}
	if group != nil {
		with["group_id"] = group
	}
	return with
}

// connect returns a client of ours for a broker without TLS.
func connect(t *testing.T, cfg mqttv5.Config) *mqttv5.Client {
	t.Helper()
	cfg.Broker, cfg.CustomerID = "127.0.0.1", customer
	cfg.InsecurePlaintext = cfg.CAFile == ""
	cfg.Tuning.PublishesPerSecond, cfg.Tuning.BytesPerSecond = -1, -1
	c, err := mqttv5.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
