package mqttv5

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// Who has forgotten the group, or has one too many, is told which the cloud answers.
func TestDiagnoseTellsTheTopicLayout(t *testing.T) {
	for name, c := range map[string]struct {
		answers     []string // levels of the boot topics that are answered
		group       string   // configured
		want        string
		ok, missing bool
	}{
		"only with a group, none configured":  {[]string{"/0/"}, "", "the cloud answers with group 0 and not without a group, which is configured", false, false},
		"only without, a group is configured": {[]string{"3647/42"}, "0", "the cloud answers without a group and not with group 0, which is configured", false, false},
		"only with a group, as configured":    {[]string{"/0/"}, "0", "the cloud answers with group 0, as configured, and not without a group", true, false},
		"both":                                {[]string{"boot"}, "", "the cloud answers without a group, as configured, and with group 0", true, false},
		"nobody":                              {nil, "", "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				b.OnPacket = func(conn *mqtttest.Conn, packet *packets.ControlPacket) bool {
					p, ok := packet.Content.(*packets.Publish)
					if !ok {
						return false
					}
					for _, part := range c.answers {
						if strings.Contains(p.Topic, part) {
							return false // as a friendly broker would
						}
					}
					conn.Puback(p.PacketID, 0)
					return true
				}

				cfg := Config{Broker: "127.0.0.1", InsecurePlaintext: true, CustomerID: "975773647", GroupID: c.group}
				open := func(cfg Config) (*Client, error) {
					return clientOver(t, cfg, func(connection *link.Config) { connection.Dial = b.Dial }), nil
				}
				found := false
				for f := range diagnose(t.Context(), cfg, testDevice(1), open) {
					if f.Check != "topic layout" {
						continue
					}
					found = true
					if f.Detail != c.want || f.OK != c.ok || f.OK != (f.Remedy == "") {
						t.Errorf("got %+v, want %q", f, c.want)
					}
				}

				if found == c.missing {
					t.Errorf("said: %v, want %v", found, !c.missing)
				}
				b.Stop()
			})
		})
	}
}
