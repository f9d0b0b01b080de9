package mqttv5

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// A cloud that wants a record later is asked for ever: it is not parked, however often.
func TestPassingRefusalsNeverPark(t *testing.T) {
	for _, code := range []ReasonCode{ReasonQuotaExceeded, ReasonRateTooHigh, ReasonServerBusy} {
		t.Run(fmt.Sprintf("0x%02X", byte(code)), func(t *testing.T) {
			left := 14 // more than any other code is borne
			withFaults(t, func(b *mqtttest.Broker) {
				b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
					if left == 0 {
						return false
					}
					left--
					c.Puback(p.PacketID, byte(code))
					return true
				}
			}, nil, func(t *testing.T, f *faults) {
				f.or.submit(t, f.o, 1, 1, 50)
				f.deliver()
				f.finish()
				if s := f.o.Stats(); left != 0 || s.Parked != 0 || s.Delivered != 2 {
					t.Errorf("got stats %+v with %d refusals left, want both delivered", s, left)
				}
			})
		})
	}
}

// Under a lasting "Not authorized" a device registers anew once, not for every record
// and refusal, and its logs are parked.
func TestLastingRefusalRegistersOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			if !strings.HasPrefix(p.Topic, "binlog/") {
				return false
			}
			c.Puback(p.PacketID, byte(ReasonNotAuthorized))
			return true
		}

		c := fakeClient(t, b, nil)
		o := openOutbox(t, dir)
		submitLogs(t, o, 1, 4)
		stop := deliverIn(t, c, o)
		if err := o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}

		if err := stop(); err != nil {
			t.Error(err)
		}
		if s := o.Stats(); s.Parked != 4 || b.Boots() != 2 {
			t.Errorf("got %d parked and %d registrations, want 4 and 2", s.Parked, b.Boots())
		}

		if err := o.Close(); err != nil {
			t.Error(err)
		}
		c.Close()
		b.Stop()
	})
}
