package link

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

// lastUnsubscribe bounds what a link on a loan still asks of the host when it ends.
const lastUnsubscribe = 5 * time.Second

// loan carries a link on a connection that the host of the program has lent. It
// never connects, pings or closes; a link on it ends when the host's connection fails
// it, and the keeper decides when there is another.
type loan struct {
	to        lent.Connection
	exchanges *exchanges
	routes    *routes
	fail      func(error)

	ctx    context.Context // of all that is under way
	cancel context.CancelFunc
	calls  sync.WaitGroup // subscriptions that begin or end
	over   chan struct{}

	mu     sync.Mutex
	closed bool
	turn   map[string]chan struct{} // of each topic, closed when its last call is over
	held   map[string]bool          // what is subscribed, or about to be
}

// openLoan makes a link on the connection that the configuration lends.
func openLoan(cfg *Config, rate *throttle, routes *routes) *Link {
	l := newLink(cfg, rate, routes)
	h := &loan{
		to: cfg.Lent, exchanges: l.exchanges, routes: routes, fail: l.End,
		over: make(chan struct{}), turn: make(map[string]chan struct{}), held: make(map[string]bool),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	l.carrier = h
	l.exchanges.open()
	l.opened = time.Now()
	go l.watch()
	return l
}

// ackOf turns an answer of the host into that of a broker. An error that is none
// ends the link.
func (h *loan) ackOf(err error) (a Ack, ok bool) {
	var refused *lent.Refusal
	switch {
	case err == nil:
		return Ack{}, true
	case errors.As(err, &refused):
		const unspecified = 0x80
		code := fault.ReasonCode(refused.Code)
		if code == fault.ReasonSuccess {
			code = unspecified
		}
		return Ack{Code: code, Reason: fault.Printable(refused.Reason)}, true
	}
	h.fail(err)
	return Ack{}, false
}

func (h *loan) publish(m *Message, id uint16) {
	go func() {
		if a, ok := h.ackOf(h.to.Publish(h.ctx, lent.Message(*m))); ok {
			h.exchanges.finish(id, packets.PUBLISH, a)
		}
	}()
}

func (h *loan) subscribe(filters []string, id uint16) {
	h.each(filters, id, packets.SUBSCRIBE, true, func(topic string) error {
		return h.to.Subscribe(h.ctx, topic, h.receive)
	})
}

func (h *loan) unsubscribe(filters []string, id uint16) {
	h.each(filters, id, packets.UNSUBSCRIBE, false, func(topic string) error {
		return h.to.Unsubscribe(h.ctx, topic)
	})
}

// each makes a call for each topic and finishes the exchange with their codes. Calls
// for one topic are made one after the other, in the order in which they came.
func (h *loan) each(topics []string, id uint16, packet byte, hold bool, call func(topic string) error) {
	codes := make([]byte, len(topics))
	var (
		mu     sync.Mutex
		left   = len(topics)
		reason string
	)
	for i, topic := range topics {
		h.inTurn(topic, hold, func() {
			a, ok := h.ackOf(call(topic))
			if !ok {
				return
			}
			mu.Lock()
			defer mu.Unlock()

			codes[i] = byte(a.Code)
			if a.Code == fault.ReasonSuccess && packet == packets.SUBSCRIBE {
				codes[i] = 1 // the QoS that was granted
			}
			if a.Reason != "" {
				reason = a.Reason
			}

			if left--; left == 0 {
				h.exchanges.finish(id, packet, Ack{codes: codes, Reason: reason})
			}
		})
	}
}

// inTurn makes one call to the host after all earlier ones for the same topic; hold
// says whether the topic is subscribed after it.
func (h *loan) inTurn(topic string, hold bool, call func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}

	before, mine := h.turn[topic], make(chan struct{})
	h.turn[topic] = mine
	if hold {
		h.held[topic] = true
	} else {
		delete(h.held, topic)
	}

	h.calls.Go(func() {
		if before != nil {
			<-before
		}
		call()
		h.mu.Lock()
		if h.turn[topic] == mine {
			delete(h.turn, topic)
		}
		h.mu.Unlock()
		close(mine)
	})
}

func (h *loan) receive(m lent.Received) {
	h.routes.dispatch(&Received{Topic: m.Topic, Payload: m.Payload, Retained: m.Retained, Correlation: m.Correlation, At: time.Now()})
}

// acknowledge does nothing: the host's client acknowledges what it receives.
func (h *loan) acknowledge(uint16) {}

func (h *loan) cork()   {}
func (h *loan) uncork() {}
func (h *loan) push()   {}

// goodbye says nothing: the connection goes on.
func (h *loan) goodbye(bool) {}

// close gives the connection back, without any subscription of ours.
func (h *loan) close() {
	h.cancel()
	h.mu.Lock()
	h.closed = true
	held := h.held
	h.held = nil
	h.mu.Unlock()

	go func() {
		defer close(h.over)
		ended := make(chan struct{})
		go func() {
			h.calls.Wait()
			close(ended)
		}()
		ctx, cancel := context.WithTimeout(context.Background(), lastUnsubscribe)
		defer cancel()

		select {
		case <-ended:
		case <-ctx.Done(): // a host that does not heed its context
		}

		var last sync.WaitGroup
		for topic := range held {
			last.Go(func() { h.to.Unsubscribe(ctx, topic) })
		}
		last.Wait()
	}()
}

func (h *loan) done() <-chan struct{} { return h.over }
