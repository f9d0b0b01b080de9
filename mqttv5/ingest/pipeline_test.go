package ingest

import (
	"context"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// slowLink writes acknowledgements when the test lets it.
type slowLink struct {
	inbox  chan link.Received
	acks   []string      // topics that were acknowledged since Cork
	begun  chan []string // what is being written
	finish chan struct{}
}

func (l *slowLink) Inbox() <-chan link.Received { return l.inbox }

func (l *slowLink) Acknowledge(m *link.Received) bool {
	l.acks = append(l.acks, m.Topic)
	return true
}

func (l *slowLink) Cork() { l.acks = nil }

func (l *slowLink) Uncork() {
	l.begun <- l.acks
	<-l.finish
}

// An acknowledgement is written when Append has returned and not before, and the
// next batch is begun when it has been written and not before: nothing runs beside
// the durable writes, so that nothing can overtake them. That everything has come
// to rest, synctest tells.
func TestAcknowledgementsFollowTheWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages, receive = 9, 2
		appending, stored := make(chan int), make(chan struct{})
		cfg := &Config{ReceiveMaximum: receive, Window: 100}
		cfg.Sink = sinkFunc(func(_ context.Context, records []Record) error {
			appending <- len(records)
			<-stored
			return nil
		})
		cfg.Quarantine = cfg.Sink
		count := newCounters("w")
		conn := &slowLink{inbox: make(chan link.Received, messages), begun: make(chan []string), finish: make(chan struct{})}
		for i := range messages {
			conn.inbox <- link.Received{Topic: logTopic(i), Payload: testLog(t, i, 50), At: time.Now()}
		}
		stop := make(chan struct{})
		go newPipeline(cfg, &status{log: slog.New(slog.DiscardHandler), count: count}, count).run(t.Context(), stop, conn)
		defer synctest.Wait()
		defer close(stop)

		// quiet checks that nothing else goes on while something is awaited.
		quiet := func(during string) {
			t.Helper()
			synctest.Wait()
			select {
			case n := <-appending:
				t.Fatalf("got %d more messages given to the sink during %s, want none", n, during)
			case p := <-conn.begun:
				t.Fatalf("got %q written during %s, want nothing", p, during)
			default:
			}
		}
		for first := 1; first <= messages; {
			n := <-appending
			quiet("Append")
			stored <- struct{}{}
			var want []string
			for range n {
				want = append(want, logTopic(first-1))
				first++
			}
			if got := <-conn.begun; !reflect.DeepEqual(got, want) {
				t.Fatalf("got %q written, want %q", got, want)
			}
			quiet("the acknowledgement")
			conn.finish <- struct{}{}
		}
	})
}

type sinkFunc func(context.Context, []Record) error

func (f sinkFunc) Append(ctx context.Context, records []Record) error { return f(ctx, records) }
