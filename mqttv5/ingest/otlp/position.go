package otlp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// ErrPosition means that a position does not fit the sink or the receiver, or that
// another export uses it. Nothing was exported.
var ErrPosition = fault.InClass(fault.ErrStorage, errors.New("position cannot be used"))

// position is a place in a sink, up to which one receiver has taken all.
type position struct {
	Version  int    `json:"v"` // 1
	Sink     string `json:"sink,omitempty"`
	SinkName string `json:"sink_name,omitempty"` // for people
	Receiver string `json:"receiver,omitempty"`
	Last     string `json:"last,omitempty"` // key of the record before the next one
	Next     uint64 `json:"next"`           // sequence number of the next record
}

// maxPosition is the longest position file that is read, in bytes.
const maxPosition = 64 << 10

// loadPosition reads a position file; Next is 0 if there is none. Earlier versions
// wrote the number alone, which fits any sink and receiver.
func loadPosition(name string) (position, error) {
	if name == "" {
		return position{}, nil
	}
	b, err := readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, fmt.Errorf("read position: %w", err)
	}
	p, ok := parsePosition(b)
	if !ok {
		return position{}, fmt.Errorf("read position: %s holds no position; it is left as it is, name another file", name)
	}
	return p, nil
}

func readFile(name string) ([]byte, error) {
	if info, err := os.Stat(name); err == nil && (!info.Mode().IsRegular() || info.Size() > maxPosition) {
		return nil, fmt.Errorf("%s holds no position; it is left as it is, name another file", name)
	}
	return os.ReadFile(name)
}

// parsePosition reads what a position file holds.
func parsePosition(b []byte) (p position, ok bool) {
	if n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
		return position{Next: n}, n > 0
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&p) != nil || p.Version != 1 || p.Next == 0 {
		return position{}, false
	}
	return p, len(bytes.TrimSpace(b[d.InputOffset():])) == 0
}

// store replaces a position file so that a crash leaves the old or the new one.
func (p position) store(name string) error {
	if name == "" {
		return nil
	}
	b, err := json.Marshal(p)
	if err == nil {
		err = durable.ReplaceFile(name, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fault.InClass(fault.ErrStorage, fmt.Errorf("store position: %w", err))
	}
	return nil
}

// check refuses a position in another sink, of another receiver, or behind the end.
func (p position) check(name string, sink ingest.Extent, receiver string) error {
	switch {
	case p.Next == 0:
		return nil
	case p.Sink != "" && p.Sink != sink.ID:
		return fmt.Errorf("%w: %s is a place in %s (%s), and this is %s (%s), which was made at another time; name another file to export all of it",
			ErrPosition, name, p.SinkName, p.Sink, sink.Name, identity(sink.ID))
	case p.Receiver != "" && p.Receiver != receiver:
		return fmt.Errorf("%w: %s says what %s has taken, and this export is to %s; name another file for it", ErrPosition, name, p.Receiver, receiver)
	case p.Next > sink.Next:
		return fmt.Errorf("%w: %s says that record %d comes next, and %s will give out %d next; it was made anew, or has lost records: name another file to export all of it",
			ErrPosition, name, p.Next, sink.Name, sink.Next)
	}
	return nil
}

// witness is a Reader that sees whether the record before a position is the one that was
// exported: where a sink was put back as it was earlier, or goes on in a copy, numbers
// are given again.
type witness struct {
	ingest.Reader
	position
	file string
}

// Next implements ingest.Reader.
func (w *witness) Next(ctx context.Context) (ingest.Record, error) {
	r, err := w.Reader.Next(ctx)
	if err == nil && w.Last != "" && r.Sequence+1 == w.position.Next && r.Key.String() != w.Last {
		return ingest.Record{}, fmt.Errorf("%w: %s says that record %d of %s was exported, and this is another record %d; the sink was put back as it was earlier, or this is a copy of it: name another file to export all of it",
			ErrPosition, w.file, r.Sequence, w.SinkName, r.Sequence)
	}
	return r, err
}

func identity(id string) string {
	if id == "" {
		return "without an identity"
	}
	return id
}

// lockPosition keeps other exports from a position file until release is called.
func lockPosition(name string) (release func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	lock := name + ".lock"
	if err := durable.CheckLock(lock); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPosition, err)
	}

	// The file is replaced, which a link is not: that must not come to light when
	// records have been sent.
	switch info, err := os.Lstat(name); {
	case err != nil: // there is none, or it cannot be read, which was told
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is a %s; name the file itself", ErrPosition, name, durable.Kind(info))
	case durable.Names(info) > 1:
		// Each name would get a position of its own, and nobody would notice.
		return nil, fmt.Errorf("%w: %s is one of %d names of a file (hard links), and another export may go on by another of them; "+
			"make it a file of its own, by a copy that is renamed to it, or name another", ErrPosition, name, durable.Names(info))
	}
	l := flock.New(lock, flock.SetPermissions(0o600))
	switch ok, err := l.TryLock(); {
	case err != nil:
		return nil, fault.InClass(fault.ErrStorage, fmt.Errorf("lock position: %w", err))
	case !ok:
		return nil, fmt.Errorf("%w: another export uses %s now", ErrPosition, name)
	}

	durable.Sweep(name)              // what killed exports left; if it stays, it is in nobody's way
	return func() { l.Close() }, nil // the kernel has it back at the latest with the process
}

// DefaultPosition returns the position file of a receiver for a sink whose natural
// place for such files is dir. The first receiver's is otlp.position, as it always
// was, and each other receiver has one of its own.
func DefaultPosition(dir, receiver string) string {
	first := filepath.Join(dir, "otlp.position")
	receiver = receiverName(receiver)
	if p, err := loadPosition(first); err != nil || p.Receiver == "" || p.Receiver == receiver {
		return first
	}
	sum := sha256.Sum256([]byte(receiver))
	return filepath.Join(dir, "otlp-"+hex.EncodeToString(sum[:4])+".position")
}
