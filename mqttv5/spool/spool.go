package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// Outbox is what takes the files; *outbox.Outbox is one.
type Outbox interface {
	SubmitLog(ctx context.Context, dev device.Info, buf []byte) (id string, err error)
	SubmitCoreDump(ctx context.Context, dump []byte) (id string, err error)
	SubmitText(ctx context.Context, dev device.Info, entries []payload.TextEntry) (ids []string, err error)
}

// Config says which folder is watched, and for whom.
type Config struct {
	// Dir is the folder; it must exist. Default: none, required.
	Dir string

	// Device is the device that files right in Dir are of. Default: none; then only
	// crash dumps may lie there.
	Device device.Info

	// Keep moves accepted files to Dir/done. Default: false, they are removed.
	Keep bool

	// Poll is the time between two looks at the folder. Default: 1 s.
	Poll time.Duration

	// Settle is for how long a file that is no whole message must not have changed
	// before it counts as bad: it may still be being written. Default: 10 s.
	Settle time.Duration

	// Accepted is called with each file that was accepted and its record ids.
	// Default: nothing is.
	Accepted func(name string, ids []string)

	// Found is called with each device that a subfolder names, once. Default:
	// nothing is.
	Found func(device.Info)

	// Logger gets what goes wrong with a file. Default: discards.
	Logger *slog.Logger
}

// Stats says what became of the files.
type Stats struct {
	Accepted uint64 // taken into the outbox
	Bad      uint64 // set aside with a reason
	Skipped  int    // at the last look: being written, not readable or no files
}

// Spool watches one folder.
type Spool struct {
	cfg Config
	out Outbox

	mu    sync.Mutex
	stats Stats

	turn    int               // most files of a folder before another has its turn
	told    map[string]string // by file: what was said of it
	devices map[device.Info]bool
}

// New checks the configuration and the folder.
func New(cfg Config, out Outbox) (*Spool, error) {
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
	}
	if cfg.Settle == 0 {
		cfg.Settle = 10 * time.Second
	}
	if cfg.Accepted == nil {
		cfg.Accepted = func(string, []string) {}
	}
	if cfg.Found == nil {
		cfg.Found = func(device.Info) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}

	info, err := os.Stat(cfg.Dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("it is a %s, not a folder", durable.Kind(info))
	}
	for _, own := range [...]string{dirDone, dirBad} {
		if e := durable.CheckSubfolder(cfg.Dir, own); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	if err != nil {
		return nil, fmt.Errorf("watch spool %s: %w", cfg.Dir, err)
	}
	return &Spool{cfg: cfg, out: out, turn: 1000, told: map[string]string{}, devices: map[device.Info]bool{}}, nil
}

// Stats returns what became of the files so far.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Run takes files in until ctx ends, and then returns nil.
func (s *Spool) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for {
		for s.scan(ctx) && ctx.Err() == nil {
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Scan looks at the folder once and takes in what is there, or as much as a turn of
// each folder allows.
func (s *Spool) Scan(ctx context.Context) { s.scan(ctx) }

// scan is Scan and reports whether there is more.
func (s *Spool) scan(ctx context.Context) (more bool) {
	skipped := 0
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stats.Skipped = skipped
	}()

	skipped, folders, more := s.folder(ctx, "", s.cfg.Device)
	for _, name := range folders {
		dev, err := readDevice(filepath.Join(s.cfg.Dir, name))
		if err != nil {
			s.tell(name, err.Error())
			skipped++
			continue
		}
		if !s.devices[dev] {
			s.devices[dev] = true
			s.cfg.Found(dev)
		}

		n, deeper, rest := s.folder(ctx, name, dev)
		skipped += n + len(deeper)
		more = more || rest
		for _, d := range deeper {
			s.tell(filepath.Join(name, d), "it is a folder in a device's folder")
		}
	}

	s.forget()
	return more
}

// folder takes in the files of one folder, at most a turn of them, and returns how many
// it left, which folders are in it, and whether there are more files.
func (s *Spool) folder(ctx context.Context, sub string, dev device.Info) (skipped int, folders []string, more bool) {
	files, folders, odd, err := list(s.cfg.Dir, sub)
	if err != nil {
		s.tell(sub, err.Error())
		return 1, nil, false
	}
	for name, what := range odd {
		s.tell(name, what)
	}

	skipped = len(odd)
	before := s.Stats()
	defer func() {
		// One for all files: what a power cut brings back is accepted once more.
		if s.Stats() != before {
			if err := durable.SyncDir(filepath.Join(s.cfg.Dir, sub)); err != nil {
				s.tell(sub, err.Error())
			}
		}
	}()

	taken := 0
	for i, f := range files {
		if ctx.Err() != nil {
			return skipped + len(files) - i, folders, false
		}
		if taken == s.turn {
			return skipped, folders, true // another folder has its turn
		}

		switch err := s.take(ctx, f, dev); {
		case err == nil:
			taken++
			delete(s.told, f.name)
		case errors.Is(err, errWait):
			skipped++
		case errors.Is(err, errStop):
			return skipped + len(files) - i, folders, false
		default:
			s.tell(f.name, err.Error())
			skipped++
		}
	}
	return skipped, folders, false
}

func (s *Spool) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}

// tell logs what is wrong with a file, once as long as it is the same.
func (s *Spool) tell(name, what string) {
	if s.told[name] == what {
		return
	}
	s.told[name] = what
	s.cfg.Logger.Warn("spool leaves something where it is", "file", filepath.Join(s.cfg.Dir, name), "reason", what)
}

// forget drops what was said of files that are gone.
func (s *Spool) forget() {
	for name := range s.told {
		if _, err := os.Lstat(filepath.Join(s.cfg.Dir, name)); errors.Is(err, fs.ErrNotExist) {
			delete(s.told, name)
		}
	}
}
