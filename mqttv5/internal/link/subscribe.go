package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// maxInUse is how often a subscription is tried under another packet identifier.
const maxInUse = 16

// Subscribe subscribes to filters, in one packet and with QoS 1, and waits for the
// SUBACK, which must have a code for each. What fails leaves nothing subscribed. A
// broker that calls the packet identifier one in use is asked again with another:
// mochi confuses ours with those of its own publishes, and one of these may be
// under way. Who subscribes to a filter as well counts: it ends with the last.
func (l *Link) Subscribe(ctx context.Context, filters ...string) error {
	for try := 1; ; try++ {
		err := l.trySubscribe(ctx, filters)
		if err == nil || try == maxInUse || fault.Code(err) != fault.ReasonPacketIDInUse {
			return err
		}
	}
}

// trySubscribe asks for the filters once and waits for the answer.
func (l *Link) trySubscribe(ctx context.Context, filters []string) error {
	answer := make(chan Ack, 1)
	if err := l.writeSubscribe(filters, answer); err != nil {
		return err
	}
	select {
	case a := <-answer:
		if a.Err != nil {
			return a.Err
		}
		err := l.checkGranted(filters, a)
		if err != nil {
			l.giveUp(filters, a.codes)
		}
		return err
	case <-ctx.Done():
		l.Release(filters...) // they may have been granted
		return wait.Error(ctx)
	}
}

// giveUp ends what a SUBACK granted beside a refusal.
func (l *Link) giveUp(filters []string, codes []byte) {
	var granted []string
	for i, f := range filters {
		if i >= len(codes) || !fault.ReasonCode(codes[i]).Failed() {
			granted = append(granted, f)
			continue
		}
		l.topics.Lock()
		if l.subscribed[f]--; l.subscribed[f] <= 0 {
			delete(l.subscribed, f)
		}
		l.topics.Unlock()
	}
	if len(granted) > 0 {
		l.Release(granted...)
	}
}

// writeSubscribe counts and writes in one step: an UNSUBSCRIBE of another must not
// come between.
func (l *Link) writeSubscribe(filters []string, answer chan<- Ack) error {
	l.topics.Lock()
	defer l.topics.Unlock()
	for _, f := range filters {
		l.subscribed[f]++
	}

	id, err := l.exchanges.begin(packets.SUBSCRIBE, time.Now().Add(l.ackTimeout), func(a Ack) { answer <- a })
	if err != nil {
		return err
	}
	l.carrier.subscribe(filters, id)
	return nil
}

// checkGranted reads a SUBACK as a whole: a code for each filter, and none of them a
// failure. A session that is kept is of no use with QoS 0.
func (l *Link) checkGranted(filters []string, a Ack) error {
	if len(a.codes) != len(filters) {
		return &fault.Error{
			Op: "subscribe to " + filters[0], Class: fault.ErrNetwork,
			Err:  fmt.Errorf("broker answered %d subscriptions with %d codes", len(filters), len(a.codes)),
			Hint: "this is no broker that can be worked with",
		}
	}

	for i, c := range a.codes {
		code := fault.ReasonCode(c)
		switch {
		case code.Failed():
			return refusal("subscribe to "+filters[i], code, a.Reason, subscribeHint(code))
		case c > 1:
			return &fault.Error{Op: "subscribe to " + filters[i], Class: fault.ErrNetwork, Err: fmt.Errorf("broker granted QoS %d, 1 was asked for", c)}
		case c == 0 && l.inbox != nil:
			return &fault.Error{
				Op: "subscribe to " + filters[i], Class: fault.ErrRefused,
				Err: errors.New("broker granted QoS 0 instead of 1; it could not resend what a crash loses"),
			}
		}
	}
	return nil
}

func subscribeHint(code fault.ReasonCode) string {
	const sharedSubscriptions = 0x9E
	switch code {
	case fault.ReasonNotAuthorized:
		return "the certificate's policy must allow it"
	case sharedSubscriptions:
		return "the broker must allow shared subscriptions"
	}
	return ""
}

// Release ends subscriptions that nobody else wants and does not wait: what arrives
// late goes to nobody.
func (l *Link) Release(filters ...string) {
	l.writeUnsubscribe(filters, func(Ack) {})
}

// Unsubscribe is Release that waits for the broker's answer.
func (l *Link) Unsubscribe(ctx context.Context, filters ...string) error {
	answer := make(chan Ack, 1)
	if err := l.writeUnsubscribe(filters, func(a Ack) { answer <- a }); err != nil {
		return err
	}
	select {
	case a := <-answer:
		for i, c := range a.codes {
			if code := fault.ReasonCode(c); code.Failed() && i < len(filters) {
				return refusal("unsubscribe from "+filters[i], code, a.Reason, "")
			}
		}
		return a.Err
	case <-ctx.Done():
		return wait.Error(ctx)
	}
}

// writeUnsubscribe unsubscribes from the filters that nobody else here has subscribed
// to.
func (l *Link) writeUnsubscribe(filters []string, done func(Ack)) error {
	l.topics.Lock()
	defer l.topics.Unlock()
	var last []string
	for _, f := range filters {
		if l.subscribed[f]--; l.subscribed[f] > 0 {
			continue
		}
		delete(l.subscribed, f)
		last = append(last, f)
	}

	if len(last) == 0 {
		done(Ack{})
		return nil
	}

	id, err := l.exchanges.begin(packets.UNSUBSCRIBE, time.Now().Add(l.ackTimeout), done)
	if err != nil {
		return err
	}
	l.carrier.unsubscribe(last, id)
	return nil
}
