package ingest

import (
	"context"
	"log/slog"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// slowConn takes a write when the test lets it.
type slowConn struct {
	net.Conn
	begun  chan []byte // what is being written
	finish chan struct{}
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.begun <- append([]byte(nil), p...)
	<-c.finish
	return len(p), nil
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
		conn := &slowConn{begun: make(chan []byte), finish: make(chan struct{})}
		l := &link{conn: &guarded{Conn: conn}, queue: make(chan delivery, messages), dead: make(chan struct{})}
		for i := range messages {
			l.queue <- delivery{topic: logTopic(1), payload: testLog(t, i, 50), at: time.Now(), id: uint16(i + 1)}
		}
		stop := make(chan struct{})
		go newPipeline(cfg, &status{log: slog.New(slog.DiscardHandler), count: count}, count).run(t.Context(), stop, l)
		defer synctest.Wait()
		defer close(stop)

		// quiet checks that nothing else goes on while something is awaited.
		quiet := func(during string) {
			t.Helper()
			synctest.Wait()
			select {
			case n := <-appending:
				t.Fatalf("during %s %d messages more are given to the sink", during, n)
			case p := <-conn.begun:
				t.Fatalf("during %s % x is written", during, p)
			default:
			}
		}
		for first := 1; first <= messages; {
			n := <-appending
			quiet("Append")
			stored <- struct{}{}
			var want []byte
			for range n {
				want = appendAck(want, uint16(first))
				first++
			}
			if got := <-conn.begun; !reflect.DeepEqual(got, want) {
				t.Fatalf("% x is written, want % x", got, want)
			}
			quiet("the acknowledgement")
			conn.finish <- struct{}{}
		}
	})
}

type sinkFunc func(context.Context, []Record) error

func (f sinkFunc) Append(ctx context.Context, records []Record) error { return f(ctx, records) }
