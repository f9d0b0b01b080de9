package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
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

// maxFile is the longest file that is read, in bytes: as long as any message.
const maxFile = 16 << 20

// Folders of the spool itself.
const (
	dirDone = "done"
	dirBad  = "bad"
)

// Spool watches one folder.
type Spool struct {
	cfg Config
	out Outbox

	mu    sync.Mutex
	stats Stats

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
	if err != nil {
		return nil, fmt.Errorf("watch spool %s: %w", cfg.Dir, err)
	}
	return &Spool{cfg: cfg, out: out, told: map[string]string{}, devices: map[device.Info]bool{}}, nil
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
		s.Scan(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Scan looks at the folder once and takes in what is there.
func (s *Spool) Scan(ctx context.Context) {
	skipped := 0
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stats.Skipped = skipped
	}()

	var folders []string
	skipped, folders = s.folder(ctx, "", s.cfg.Device)
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
		n, deeper := s.folder(ctx, name, dev)
		skipped += n + len(deeper)
		for _, d := range deeper {
			s.tell(filepath.Join(name, d), "it is a folder in a device's folder")
		}
	}
	s.forget()
}

// file is one that may be taken.
type file struct {
	name  string // from the spool's folder on
	size  int64
	mtime time.Time
}

// folder takes in the files of one folder, and returns how many it left and which
// folders are in it.
func (s *Spool) folder(ctx context.Context, sub string, dev device.Info) (skipped int, folders []string) {
	files, folders, odd, err := list(s.cfg.Dir, sub)
	if err != nil {
		s.tell(sub, err.Error())
		return 1, nil
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
	for i, f := range files {
		if ctx.Err() != nil {
			return skipped + len(files) - i, folders
		}
		switch err := s.take(ctx, f, dev); {
		case err == nil:
			delete(s.told, f.name)
		case errors.Is(err, errWait):
			skipped++
		case errors.Is(err, errStop):
			return skipped + len(files) - i, folders
		default:
			s.tell(f.name, err.Error())
			skipped++
		}
	}
	return skipped, folders
}

// list returns the files of a folder in their order, the folders in it, and what else
// is there.
func list(dir, sub string) (files []file, folders []string, odd map[string]string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return nil, nil, nil, err
	}
	odd = map[string]string{}
	for _, e := range entries {
		name := filepath.Join(sub, e.Name())
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // gone meanwhile
		case err != nil:
			odd[name] = err.Error()
		case reserved(sub, e.Name()):
		case info.IsDir():
			folders = append(folders, e.Name())
		case !info.Mode().IsRegular():
			odd[name] = "it is a " + durable.Kind(info) + "; only regular files are taken"
		default:
			files = append(files, file{name, info.Size(), info.ModTime()})
		}
	}
	slices.SortStableFunc(files, func(a, b file) int { return a.mtime.Compare(b.mtime) }) // ReadDir sorts by name
	return files, folders, odd, nil
}

// reserved reports whether a name is not for messages.
func reserved(sub, name string) bool {
	switch {
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, ".tmp"), strings.HasSuffix(name, ".part"):
		return true
	case sub == "":
		return name == dirDone || name == dirBad
	}
	return name == fileJSON || name == fileBLE
}

var (
	errWait = errors.New("it may still be being written")
	errStop = errors.New("the outbox takes nothing now")
)

// take takes one file in, and moves it out of the way when that is on disk.
func (s *Spool) take(ctx context.Context, f file, dev device.Info) error {
	name := filepath.Join(s.cfg.Dir, f.name)
	b, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}

	ids, err := s.submit(ctx, f.name, b, dev)
	switch {
	case err == nil:
		s.count(func(st *Stats) { st.Accepted++ })
		s.cfg.Accepted(f.name, ids)
		return s.accepted(f.name)
	case ctx.Err() != nil, errors.Is(err, fault.ErrClosed):
		return errStop
	case errors.Is(err, fault.ErrOutboxFull), errors.Is(err, fault.ErrStorage):
		s.tell("", err.Error())
		return errStop
	case time.Since(f.mtime) < s.cfg.Settle:
		return errWait
	}
	return s.setAside(f.name, err)
}

// read reads a file that must be the regular one that was listed.
func read(name string) ([]byte, error) {
	in, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is a %s; only regular files are taken", durable.Kind(info))
	}
	return io.ReadAll(io.LimitReader(in, maxFile+1))
}

// submit gives a file to the outbox as what it is.
func (s *Spool) submit(ctx context.Context, name string, b []byte, dev device.Info) (ids []string, err error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	if _, _, err := format.ParseCoreDump(b); err == nil {
		return one(s.out.SubmitCoreDump(ctx, b))
	}
	if dev == (device.Info{}) {
		return nil, errors.New("it is no crash dump, and nothing says which device it is of; name the device, or put it into a device's folder")
	}
	switch filepath.Ext(name) {
	case ".txt", ".ndjson":
		entries, err := payload.ReadText(strings.NewReader(string(b)), time.Now(), format.LevelInfo)
		if err != nil {
			return nil, err
		}
		return s.out.SubmitText(ctx, dev, entries)
	}
	return one(s.out.SubmitLog(ctx, dev, b))
}

func one(id string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return []string{id}, nil
}

// accepted removes a file, or moves it to done.
func (s *Spool) accepted(name string) error {
	if s.cfg.Keep {
		_, err := s.move(name, dirDone)
		return err
	}
	if err := os.Remove(filepath.Join(s.cfg.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it was accepted and cannot be removed, so that it will be accepted again: %w", err)
	}
	return nil
}

// setAside moves a file to bad and writes the reason beside it.
func (s *Spool) setAside(name string, reason error) error {
	s.cfg.Logger.Error("file of the spool is bad; it is set aside", "file", name, "reason", reason)
	aside, err := s.move(name, dirBad)
	if err != nil {
		return err
	}
	s.count(func(st *Stats) { st.Bad++ })
	// Without room for it the log has the reason, and the file is safe.
	if err := durable.ReplaceFile(aside+".reason", []byte(reason.Error()+"\n"), 0o600); err != nil {
		s.cfg.Logger.Warn("cannot write why a file is bad", "file", aside, "error", err)
	}
	return nil
}

// move moves a file to a folder of the spool's own under a name that is free there,
// and returns that name.
func (s *Spool) move(name, to string) (path string, err error) {
	from := filepath.Join(s.cfg.Dir, name)
	dir := filepath.Join(s.cfg.Dir, to, filepath.Dir(name))
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return "", err
	}
	base := filepath.Base(name)
	for n := 1; ; n++ {
		path = filepath.Join(dir, base)
		// A link fails where a rename would replace what is there.
		err = os.Link(from, path)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		base = fmt.Sprintf("%s.%d", filepath.Base(name), n)
	}
	if err == nil {
		err = os.Remove(from)
	} else if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		err = os.Rename(from, path) // a file system without links
	}
	if err != nil {
		return "", fmt.Errorf("cannot move it to %s: %w", to, err)
	}
	return path, durable.SyncDir(dir)
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
