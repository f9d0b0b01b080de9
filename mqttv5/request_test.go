package mqttv5

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// requests are the calls that wait for an answer of the cloud.
var requests = map[string]func(t *testing.T, c *Client) error{
	"boot": func(t *testing.T, c *Client) error {
		_, err := c.GetSessionToken(t.Context(), testDevice(1))
		return err
	},
	"firmware": func(t *testing.T, c *Client) error {
		f, _ := testFirmware(100)
		_, err := c.presign(t.Context(), &f)
		return err
	},
}

// The connection ends after the request was acknowledged and before the reply; the
// next one brings it (case firmware-lost-before-reply).
func TestRequestsAskAgainAfterALostConnection(t *testing.T) {
	for name, call := range requests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				asked := 0
				b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
					m, ok := p.Content.(*packets.Publish)
					if !ok {
						return false
					}
					asked++
					c.Puback(m.PacketID, 0)
					switch {
					case c.N == 0:
						c.Close()
					case name == "boot":
						c.BootReply(m, 77)
					default:
						var q struct {
							ID uint64 `json:"upload_id"`
						}
						if err := json.Unmarshal(m.Payload, &q); err != nil {
							t.Error(err)
						}
						body, _ := json.Marshal(map[string]any{"upload_id": q.ID, "presigned_url": "https://store.example/x"})
						c.Message(m.Properties.ResponseTopic, body, nil)
					}

					return true
				}

				c := fakeClient(t, b, nil)
				start := time.Now()
				if err := call(t, c); err != nil || asked != 2 {
					t.Errorf("got %v after %d requests, want success after 2", err, asked)
				}
				if d := time.Since(start); d > 2*time.Second {
					t.Errorf("got an answer after %v, want it with the next connection", d)
				}

				c.Close()
				b.Stop()
			})
		})
	}
}

// One refusal, in a SUBACK or in the DISCONNECT that AWS sends instead, and every
// call gives its code and words as ErrRefused, once and with one hint (cases
// firmware-refused-is-network and disconnect-reason-lost).
func TestRefusedSubscriptionsAreRefusals(t *testing.T) {
	calls := map[string]func(*testing.T, *Client) error{
		"log configuration": func(t *testing.T, c *Client) (err error) {
			for _, err = range c.WatchLogConfig(t.Context(), testDevice(1)) {
			}
			return err
		},
	}

	for name, call := range requests {
		calls[name] = call
	}
	const words = "not in the policy"
	for how, refuse := range map[string]func(*mqtttest.Conn, *packets.Subscribe){
		"SUBACK": func(c *mqtttest.Conn, m *packets.Subscribe) {
			c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: []byte{0x87}, Properties: &packets.Properties{ReasonString: words}})
		},
		"DISCONNECT": func(c *mqtttest.Conn, _ *packets.Subscribe) {
			c.Send(&packets.Disconnect{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: words}})
			c.Close()
		},
	} {
		for name, call := range calls {
			if how == "DISCONNECT" && name == "log configuration" {
				continue // waits for a better day, and the events tell why
			}
			t.Run(how+" for "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := mqtttest.NewBroker(t)
					b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
						m, ok := p.Content.(*packets.Subscribe)
						if ok {
							refuse(c, m)
						}
						return ok
					}

					c := fakeClient(t, b, nil)
					err := call(t, c)
					if !errors.Is(err, ErrRefused) || errors.Is(err, ErrNetwork) {
						t.Fatalf("got %v, want %v", err, ErrRefused)
					}
					s := err.Error()
					if strings.Count(s, "Not authorized (0x87): "+words) != 1 || strings.Count(s, "subscribe to ") > 1 || strings.Count(s, ";") > 1 {
						t.Errorf("got %q, want code and words once, and one hint", s)
					}

					c.Close()
					b.Stop()
				})
			})
		}
	}
}
