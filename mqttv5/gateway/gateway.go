package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/spool"
)

// Config says what a Gateway works with.
type Config struct {
	// Client sends. Its Hooks.Event must call Gateway.Event, so that the gateway
	// knows how the connection is. Default: none, required.
	Client *mqttv5.Client

	// Outbox is delivered. Default: none, required.
	Outbox *mqttv5.Outbox

	// Spool is the folder whose files are taken into Outbox; its Config.Found must
	// be Gateway.Watch if the devices of its subfolders are to be watched. Default:
	// none.
	Spool *spool.Spool

	// Devices are those whose log configuration is watched from the beginning.
	// Default: none.
	Devices []device.Info

	// ConfigDir is the folder that keeps the newest log configuration of each
	// device. Default: none.
	ConfigDir string

	// OnConfig is a command of the shell for each change of a log configuration.
	// Default: none.
	OnConfig string

	// Logger gets what goes wrong. Default: discards.
	Logger *slog.Logger
}

// Gateway is a deliverer that can be left alone. Make one with New and Run it once.
type Gateway struct {
	cfg Config

	mu      sync.Mutex
	state   state
	watched map[device.Info]bool
	watch   func(device.Info) // nil unless it runs
	tasks   sync.WaitGroup

	commands sync.Mutex // one at a time
}

// state is what the events of the client tell.
type state struct {
	connected bool
	since     time.Time // of the last change of connected
	trouble   string    // why the connection ended, or did not come up
	nobody    uint64    // messages that nobody was subscribed to
}

// New returns a Gateway. It starts nothing.
func New(cfg Config) (*Gateway, error) {
	if cfg.Client == nil || cfg.Outbox == nil {
		return nil, errors.New("new gateway: no Client or no Outbox; it has nothing to deliver, or nobody to deliver it")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Gateway{cfg: cfg, state: state{since: time.Now()}, watched: map[device.Info]bool{}}, nil
}

// Event takes note of what happens to the client.
func (g *Gateway) Event(e mqttv5.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &g.state
	switch e.Kind {
	case mqttv5.EventConnected:
		s.connected, s.since, s.trouble = true, time.Now(), ""
	case mqttv5.EventDisconnected:
		if s.connected {
			s.connected, s.since = false, time.Now()
		}
		if e.Err != nil {
			s.trouble = e.Err.Error()
		}
	case mqttv5.EventNoSubscriber:
		s.nobody++
	}
}

// Run delivers, takes files in and watches configurations until ctx ends, and then
// returns nil, after what is in flight has been waited for a few seconds.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer g.tasks.Wait()
	defer stop()

	g.mu.Lock()
	g.watch = func(dev device.Info) { g.tasks.Go(func() { g.follow(ctx, dev) }) }
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.watch = nil
	}()
	for _, dev := range g.cfg.Devices {
		g.Watch(dev)
	}
	if g.cfg.Spool != nil {
		g.tasks.Go(func() { g.cfg.Spool.Run(ctx) }) // ends with ctx and without an error
	}
	return g.cfg.Client.Deliver(ctx, g.cfg.Outbox)
}

// Watch watches the log configuration of a device from now on, if anything is done
// with it. It does nothing unless the gateway runs.
func (g *Gateway) Watch(dev device.Info) {
	if g.cfg.ConfigDir == "" && g.cfg.OnConfig == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.watch == nil || g.watched[dev] {
		return
	}
	g.watched[dev] = true
	g.watch(dev)
}

// Health says how a Gateway is.
type Health struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`             // of the last change of Connected
	Trouble   string    `json:"trouble,omitempty"` // why it is not connected
	Waiting   int       `json:"waiting"`           // records to be delivered
	Parked    int       `json:"parked"`            // records that were refused for good
	Damaged   int       `json:"damaged"`           // records whose bytes changed on disk
	Oldest    float64   `json:"oldest_seconds"`    // age of the oldest that waits
	Nobody    uint64    `json:"no_subscriber"`     // messages that nobody was subscribed to
	Accepted  uint64    `json:"spool_accepted"`
	Bad       uint64    `json:"spool_bad"`
	Skipped   int       `json:"spool_skipped"`
}

// OK reports whether records go out: there is a connection, or nothing waits for one.
func (h Health) OK() bool { return h.Connected || h.Waiting == 0 && h.Trouble == "" }

// Health returns how the gateway is.
func (g *Gateway) Health() Health {
	g.mu.Lock()
	s := g.state
	g.mu.Unlock()
	o := g.cfg.Outbox.Stats()
	h := Health{
		Connected: s.connected, Since: s.since.UTC(), Trouble: s.trouble, Waiting: o.Waiting, Parked: o.Parked, Damaged: o.Damaged,
		Oldest: o.OldestAge.Seconds(), Nobody: s.nobody,
	}
	if g.cfg.Spool != nil {
		files := g.cfg.Spool.Stats()
		h.Accepted, h.Bad, h.Skipped = files.Accepted, files.Bad, files.Skipped
	}
	return h
}

// ServeHTTP answers with the Health as JSON, and with status 503 if it is not OK.
func (g *Gateway) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	h := g.Health()
	rw.Header().Set("Content-Type", "application/json")
	if !h.OK() {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(rw).Encode(h) // the client is gone if it fails
}

// NewCollector returns a collector of the metrics of the client, the outbox and the
// spool for the caller's own Prometheus registry. Two gateways in one registry need a
// label each, see [mqttv5.NewCollector].
func NewCollector(g *Gateway) prometheus.Collector {
	all := prometheus.NewRegistry()
	all.MustRegister(mqttv5.NewCollector(g.cfg.Client, g.cfg.Outbox))
	if s := g.cfg.Spool; s != nil {
		counter := func(name, help string, of func(spool.Stats) uint64) {
			all.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(of(s.Stats())) }))
		}
		counter("ulogkit_spool_accepted_total", "Files of the spool that were accepted.", func(st spool.Stats) uint64 { return st.Accepted })
		counter("ulogkit_spool_bad_total", "Files of the spool that were set aside.", func(st spool.Stats) uint64 { return st.Bad })

		all.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ulogkit_spool_skipped_files", Help: "Files that the last look at the spool left where they are.",
		}, func() float64 { return float64(s.Stats().Skipped) }))
	}
	return all
}
