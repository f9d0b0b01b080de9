package link

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// A topic stays subscribed over the links that are lost, until the server refuses it;
// the refusal is the last thing that is yielded.
func TestSubscribedGoesOnWithTheNextLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		asked := 0
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			m, ok := p.Content.(*packets.Subscribe)
			if !ok {
				return false
			}
			code := byte(1)
			if asked++; asked == 3 {
				code = 0x87
			}
			return c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: []byte{code}, Properties: &packets.Properties{}})
		}

		keeperOf(t, b, nil, func(k *Keeper) {
			var links []*Link
			var refused error
			for l, err := range k.Subscribed(t.Context(), "config") {
				if err != nil {
					refused = err
					continue
				}
				links = append(links, l)
				conns := b.Conns()
				conns[len(conns)-1].Close()
				<-l.Dead()
			}
			if len(links) != 2 || links[0] == links[1] {
				t.Errorf("got links %p, want two", links)
			}
			if !errors.Is(refused, fault.ErrRefused) || fault.Code(refused) != fault.ReasonNotAuthorized {
				t.Errorf("got error %v, want the refusal", refused)
			}
		})
	})
}

// Who has enough unsubscribes.
func TestSubscribedEndsWithUnsubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		left := make(chan string, 1)
		b.OnPacket = func(_ *mqtttest.Conn, p *packets.ControlPacket) bool {
			if m, ok := p.Content.(*packets.Unsubscribe); ok {
				left <- m.Topics[0]
			}
			return false
		}

		keeperOf(t, b, nil, func(k *Keeper) {
			for _, err := range k.Subscribed(t.Context(), "config") {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if got := <-left; got != "config" {
				t.Errorf("got an UNSUBSCRIBE of %q, want config", got)
			}
		})
	})
}
