package main

import (
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// eventPrinter prints what happens on a connection that lasts: deliveries to
// standard output, trouble to standard error.
type eventPrinter struct {
	mu        sync.Mutex
	out, errs io.Writer
	last      string // trouble comes in numbers: the same is said once
	muted     bool
}

func newEventPrinter(cmd *cobra.Command) *eventPrinter {
	return &eventPrinter{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr()}
}

func (p *eventPrinter) hooks() mqttv5.Hooks { return mqttv5.Hooks{Event: p.print} }

// mute ends the printing of trouble: a connection that is closed on purpose is none.
// What became of a record may still come, until the client is closed.
func (p *eventPrinter) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// under has trouble printed above a meter, until the returned function is called.
func (p *eventPrinter) under(m *progress.Meter) (back func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.errs
	p.errs = m.Above(before)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errs = before
	}
}

func (p *eventPrinter) print(e mqttv5.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()

	switch e.Kind {
	case mqttv5.EventDelivered:
		p.last = ""
		fmt.Fprintf(p.out, "%s: delivered\n", e.ID)
	case mqttv5.EventNoSubscriber:
		if e.Err != nil {
			return // it is tried again or parked, which is said by itself
		}
		fmt.Fprintf(p.errs, "%s: the broker took it, but nobody was subscribed\n", e.ID)
	case mqttv5.EventParked:
		fmt.Fprintf(p.errs, "%s: parked: %v\n", e.ID, e.Err)
	case mqttv5.EventDisconnected, mqttv5.EventRetried, mqttv5.EventEvicted, mqttv5.EventNotice:
		if p.muted || e.Err == nil || e.Err.Error() == p.last {
			return
		}
		p.last = e.Err.Error()
		if e.Kind == mqttv5.EventNotice {
			fmt.Fprintln(p.errs, p.last)
			return
		}
		fmt.Fprintf(p.errs, "%s; trying again\n", p.last)
	}
}

// tellNotices prints what goes wrong without failing the command, which has no other
// events to print: a session token that is not kept, say.
func tellNotices(cmd *cobra.Command) func(mqttv5.Event) {
	return func(e mqttv5.Event) {
		if e.Kind == mqttv5.EventNotice && e.Err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), e.Err)
		}
	}
}

// printf prints a result between those of events.
func (p *eventPrinter) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, format, args...)
}

// warnings is the logger of what has no events: what a person should know, though
// it is no failure.
func warnings(cmd *cobra.Command) *slog.Logger { return logger(cmd.ErrOrStderr(), slog.LevelWarn) }

// logger writes what is of the level or above it, a line of text for each.
func logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
