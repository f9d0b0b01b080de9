package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// Dictionary tells what the firmware says of a log's records. The dictionaries of
// package dict are such.
type Dictionary = text.Dictionary

// Config says what is exported, where to, and from where on.
type Config struct {
	// URL is the receiver's base, such as http://localhost:4318; /v1/logs and
	// /v1/metrics are added. A user and password in it are sent along and never
	// shown. Default: none, required.
	URL string

	// Headers are sent with every request, for authorization. Default: none.
	Headers map[string]string

	// Source is what is read. Default: none, required.
	Source ingest.Source

	// PositionFile keeps the position: the sink, the receiver, and the number of the
	// record that comes next. One export at a time can use it. Default: none, each
	// run begins at the first record.
	PositionFile string

	// RefusedFile keeps the records that the receiver refuses one by one, with its
	// reason. Default: PositionFile with ".refused" behind it, or none.
	RefusedFile string

	// Device names the device that a session token belongs to; the Device it gets
	// has no Info yet. tokens.Lookup finds those of the gateway's token file.
	// Default: none are known.
	Device func(Device) (device.Info, bool)

	// Choose returns the dictionary of the firmware that a log is of, and how sure
	// that is; ChooseFrom makes one. Default: none has one.
	Choose func(Device, format.Log) Choice

	// BatchRecords is the number of log records or data points from which a request
	// is sent. Default: 1000.
	BatchRecords int

	// BatchBytes is the size of the log records or data points from which a request
	// is sent, about. Default: 4 MiB.
	BatchBytes int

	// AcceptEmpty takes an answer with a good status, without content type and
	// body, for the receipt that the protocol asks for. Default: false.
	AcceptEmpty bool

	// Window is the number of messages among which copies are recognised, also
	// those before the position. Default: 65536.
	Window int

	// Timeout bounds one request. Default: 30 s.
	Timeout time.Duration

	// GiveUp is how long Drain tries to send one request. Default: 2 min.
	GiveUp time.Duration

	// Client makes the requests. Default: one that follows no redirects.
	Client *http.Client

	// Logger gets what goes wrong. Default: discards.
	Logger *slog.Logger
}

// Stats says what was exported.
type Stats struct {
	Messages    int    // of any kind, all but those in quarantine
	LogRecords  int    // sent and not rejected
	DataPoints  int    // of metrics
	Rejected    int    // that the receiver did not want, of requests that it took
	SetAside    int    // that the receiver refused, each by itself
	Undecoded   int    // log records without a format string
	Ambiguous   int    // records that another build, which fits their log as well, reads differently
	Missing     int    // frames that the source does not have, by the sequence numbers of version 1 logs; with a sink for each worker, another may have them
	Quarantined int    // messages left out, since they are not intact
	Lost        uint64 // records that the sink could not return, but for accepted losses and those of Uncounted
	Uncounted   int    // losses that nobody has accepted, and of which nobody knows how many records they were
	Retries     int
	Position    uint64 // of the next record
}

// Exporter exports a sink. Only Stats, Health and ServeHTTP can be called while it
// works.
type Exporter struct {
	cfg   Config
	user  *url.Userinfo // of Config.URL
	batch batch
	gaps  ingest.Gaps
	stats Stats

	report report
	takes  bool     // the receiver has taken something
	place  position // that was stored last, or is stored next

	minWait, maxWait time.Duration // between attempts
	poll             time.Duration // between looks for more at the end of the source
	giveUp           time.Duration // of the call at work; 0 is never
}

// New checks the configuration and reads the position.
func New(cfg Config) (*Exporter, error) {
	if cfg.BatchRecords == 0 {
		cfg.BatchRecords = 1000
	}
	if cfg.BatchBytes == 0 {
		cfg.BatchBytes = 4 << 20
	}
	if cfg.RefusedFile == "" && cfg.PositionFile != "" {
		cfg.RefusedFile = cfg.PositionFile + ".refused"
	}
	if cfg.Window == 0 {
		cfg.Window = 1 << 16
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.GiveUp == 0 {
		cfg.GiveUp = 2 * time.Minute
	}

	if cfg.Client == nil {
		// A redirect would carry the headers to another host.
		cfg.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}

	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		// It may hold a password, wherever in it that is.
		return nil, fault.InClass(fault.ErrConfig, errors.New("new OTLP exporter: field URL is not of the form http://HOST:PORT"))
	case cfg.Source == nil:
		return nil, fault.InClass(fault.ErrConfig, errors.New("new OTLP exporter: no Source given; there is nothing to export"))
	case cfg.BatchRecords < 1 || cfg.BatchBytes < 1 || cfg.Window < 1 || cfg.Timeout < 0 || cfg.GiveUp < 0:
		return nil, fault.InClass(fault.ErrConfig, errors.New("new OTLP exporter: fields BatchRecords, BatchBytes, Window, Timeout and GiveUp must be positive"))
	}

	user := u.User
	u.User = nil // from here on no error can show it
	cfg.URL = receiverName(u.String())
	e := &Exporter{cfg: cfg, user: user, minWait: time.Second, maxWait: 30 * time.Second, poll: time.Second}
	e.batch.init(&e.cfg, &e.stats)
	p, err := loadPosition(cfg.PositionFile)
	if err != nil {
		return nil, fault.InClass(fault.ErrConfig, fmt.Errorf("new OTLP exporter: %w", err))
	}
	e.stats.Position = p.Next
	e.report.publish(e.stats)
	return e, nil
}

// Drain exports what the sink holds now. It ends with an error when the receiver
// does not take a request within Config.GiveUp.
func (e *Exporter) Drain(ctx context.Context) error {
	e.giveUp = e.cfg.GiveUp
	return fault.InClass(fault.ErrNetwork, e.export(ctx, false))
}

// Run exports what the sink holds and goes on as more arrives, until ctx ends; it
// then returns nil. It waits for a receiver that is away for ever.
func (e *Exporter) Run(ctx context.Context) error {
	e.giveUp = 0
	err := e.export(ctx, true)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return fault.InClass(fault.ErrNetwork, err)
}

// export sends what follows the position, until the end of the sink or, to follow it,
// until ctx ends.
func (e *Exporter) export(ctx context.Context, follow bool) error {
	e.batch.reset() // of what an earlier call did not get rid of
	defer func() { e.report.publish(e.stats) }()

	release, err := lockPosition(e.cfg.PositionFile)
	if err != nil {
		return local(err)
	}
	defer release()
	if err := e.begin(ctx); err != nil {
		return local(err)
	}

	start := max(e.stats.Position, 1)
	// Reading begins a window earlier, to recognise copies of what was exported.
	r, err := e.cfg.Source.Read(ctx, start-min(start-1, uint64(e.cfg.Window)))
	if err != nil {
		return local(err)
	}
	unique := ingest.Deduplicate(&witness{r, e.place, e.cfg.PositionFile}, e.cfg.Window)
	defer unique.Close()

	for {
		rec, err := unique.Next(ctx)
		loss := (*ingest.LossError)(nil)
		switch {
		case err == nil:
			if rec.Sequence < start {
				continue
			}
			if err := e.add(ctx, &rec); err != nil {
				return err
			}
		case errors.As(err, &loss):
			if loss.Last >= start && !loss.Accepted {
				if loss.Uncounted {
					e.stats.Uncounted++
				} else {
					e.stats.Lost += loss.Last - max(loss.First, start) + 1
				}
				e.cfg.Logger.Error("records of the sink are lost", "error", err)
			}
		case errors.Is(err, ingest.ErrEnd):
			if err := e.flush(ctx); err != nil {
				return err
			}
			e.report.publish(e.stats)
			e.report.behind(time.Time{})
			if !follow {
				return nil
			}
			if !wait.For(ctx, e.poll) {
				return ctx.Err()
			}
		default:
			return local(err)
		}
	}
}

// local returns an error of the sink or the position, which is no fault of the
// receiver or the way to it.
func local(err error) error {
	return fault.InClass(fault.ErrStorage, fmt.Errorf("export: %w", err))
}

// patience is how often a sink is asked again that seems to end before the position:
// a worker that starts makes its index anew.
const patience = 3

// begin finds the position in the sink, and checks that it is one.
func (e *Exporter) begin(ctx context.Context) error {
	for try := 1; ; try++ {
		sink, err := e.cfg.Source.Extent(ctx)
		if err != nil {
			return err
		}

		p, err := loadPosition(e.cfg.PositionFile)
		if err != nil {
			return err
		}
		if e.cfg.PositionFile == "" {
			p.Next = e.stats.Position // of an earlier call
		}

		err = p.check(e.cfg.PositionFile, sink, e.cfg.URL)
		if err != nil && p.Next > sink.Next && try < patience {
			if !wait.For(ctx, e.poll) {
				return ctx.Err()
			}
			continue
		}
		if err != nil {
			return err
		}
		if p.Next > 0 && p.Receiver == "" && e.cfg.PositionFile != "" {
			e.cfg.Logger.Warn("the position is of an earlier version and names neither sink nor receiver; it is taken for these",
				"file", e.cfg.PositionFile, "next", p.Next, "sink", sink.Name, "receiver", e.cfg.URL)
		}

		if p.Next > 0 && p.Next < sink.First {
			e.stats.Lost += sink.First - p.Next
			e.cfg.Logger.Error("records were removed from the sink before they were exported", "first", p.Next, "last", sink.First-1)
			p.Next = sink.First
		}

		e.stats.Position = p.Next
		e.place = position{Version: 1, Sink: sink.ID, SinkName: sink.Name, Receiver: e.cfg.URL, Last: p.Last, Next: p.Next}
		return nil
	}
}

// receiverName returns the form of a URL by which a receiver is known, without user
// and password.
func receiverName(s string) string {
	if u, err := url.Parse(s); err == nil {
		u.User = nil
		s = u.String()
	}
	return strings.TrimSuffix(s, "/")
}

// add adds what a record holds to the batch and sends the batch when it is full.
func (e *Exporter) add(ctx context.Context, r *ingest.Record) error {
	split := false
	if e.batch.next <= e.stats.Position {
		e.report.behind(r.Time) // the first of a batch
	}

	if r.Reason != "" {
		e.stats.Quarantined++
	} else {
		e.stats.Messages++
		inside, before := e.gaps.Observe(r)
		e.stats.Missing += inside + before
		for full := range e.batch.add(r) {
			// A large log may fill a request before its end; the position then
			// stays in front of it.
			if full {
				if err := e.send(ctx); err != nil {
					return err
				}
				split = true
			}
		}
	}

	e.batch.next, e.batch.last = r.Sequence+1, r.Key.String()
	if split || e.batch.full() {
		return e.flush(ctx)
	}
	return nil
}

// flush sends the batch and stores the position behind it.
func (e *Exporter) flush(ctx context.Context) error {
	if err := e.send(ctx); err != nil {
		return err
	}
	if e.batch.next <= e.stats.Position {
		return nil
	}
	e.place.Next, e.place.Last = e.batch.next, e.batch.last
	if err := e.place.store(e.cfg.PositionFile); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	e.stats.Position = e.batch.next
	e.report.publish(e.stats)
	return nil
}
