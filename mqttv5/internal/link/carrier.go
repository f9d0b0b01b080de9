package link

import (
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// carrier takes the packets of a link to the broker: a wire that is the link's own,
// or a loan. Errors end the link, which ends what was under way.
type carrier interface {
	publish(m *Message, id uint16)
	subscribe(filters []string, id uint16)
	unsubscribe(filters []string, id uint16)
	acknowledge(id uint16)

	cork() // more is about to follow
	uncork()
	push() // what was held back leaves now

	goodbye(leaving bool) // says the last word, of a session that ends too if leaving is set
	close()
	done() <-chan struct{} // closed when nothing of it runs any more
}

// wire is a connection of our own, read by paho.
type wire struct {
	*wireConn
	paho *paho.Client
	ping *pinger
}

func (w *wire) publish(m *Message, id uint16) {
	w.wireConn.publish(m, id)
	w.ping.PacketSent()
}

func (w *wire) acknowledge(id uint16) {
	w.wireConn.acknowledge(id)
	w.ping.PacketSent()
}

func (w *wire) subscribe(filters []string, id uint16) {
	s := packets.Subscribe{Properties: &packets.Properties{}, PacketID: id}
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, packets.SubOptions{Topic: f, QoS: 1})
	}
	s.WriteTo(w.wireConn)
	w.ping.PacketSent()
}

func (w *wire) unsubscribe(filters []string, id uint16) {
	u := packets.Unsubscribe{Properties: &packets.Properties{}, PacketID: id, Topics: filters}
	u.WriteTo(w.wireConn)
	w.ping.PacketSent()
}

func (w *wire) goodbye(leaving bool) {
	d := packets.Disconnect{Properties: &packets.Properties{}}
	if leaving {
		now := uint32(0)
		d.Properties.SessionExpiryInterval = &now
	}
	w.SetWriteDeadline(time.Now().Add(time.Second))
	d.WriteTo(w.wireConn)
	w.drain()
}

func (w *wire) close() { w.Close() }

func (w *wire) done() <-chan struct{} { return w.paho.Done() }
