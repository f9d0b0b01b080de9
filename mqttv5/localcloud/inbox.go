package localcloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Received messages remembered; beyond it the older half is forgotten.
const maxRemembered = 1 << 20

// Kind is what a message is.
type Kind string

// Kinds of messages.
const (
	KindLog      Kind = "log"
	KindCoreDump Kind = "core-dump"
	KindText     Kind = "text"
	KindMetrics  Kind = "metrics"
	KindEvents   Kind = "events"
	KindFirmware Kind = "firmware"
	KindUnknown  Kind = "unknown" // on a topic that is none of the cloud's; Err says why
)

// Received is one message that the cloud got.
type Received struct {
	ID            string // record id: user property "ulogkit-id"; empty when the sender gave none
	Kind          Kind
	Topic         string
	ApplicationID uint32
	DeviceSerial  string   // whom the session token or the header names, or the only one of Devices
	Devices       []string // serial numbers in metrics and events, which may be of many
	Token         uint32   // session token in a log
	Bytes         int
	SHA256        [sha256.Size]byte
	Payload       []byte // nil when forgotten; see Config.KeepBytes
	Err           error  // what is wrong with it; nil when verified
	File          string // where it was written; empty when it was not
	Duplicate     bool   // it came before on its topic: the same ID, or without one the same bytes
	Time          time.Time

	untimed bool // metrics and events of which not all have a time: equal ones may be two
}

// key is the same for copies of one message, and empty for what has none: a heartbeat
// without an ID and a time means another each time, and of what is not understood
// nobody knows. Equal bytes on another topic are another message: that of a device
// with another application, for example.
func (r *Received) key() string {
	switch {
	case r.ID != "":
		return r.Topic + "\x00" + r.ID
	case r.untimed, r.Kind == KindUnknown:
		return ""
	}
	return r.Topic + "\x00\x00" + string(r.SHA256[:])
}

// inbox remembers what was received.
type inbox struct {
	dir       string // where to write; empty is nowhere
	keepBytes int

	mu      sync.Mutex
	list    []Received
	seen    map[string]struct{}
	unique  int // messages that are no duplicates
	kept    int // bytes of payloads
	oldest  int // index in list of the oldest payload kept
	number  int // of messages ever
	changed chan struct{}
	closed  bool
}

func newInbox(dir string, keepBytes int) *inbox {
	b := &inbox{dir: dir, keepBytes: keepBytes, seen: make(map[string]struct{}), changed: make(chan struct{})}
	b.number = lastNumber(dir)
	return b
}

// lastNumber returns the highest number of a file that an earlier run wrote: what
// was received is never written over.
func lastNumber(dir string) (last int) {
	if dir == "" {
		return 0
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0 // writing will tell
	}
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "-")
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	return last
}

// add writes and remembers one message. The payload is the caller's to keep.
func (b *inbox) add(r *Received) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	if b.dir != "" {
		name := filepath.Join(b.dir, fileName(b.number, r))
		if err := writeFile(name, r.Payload); err != nil {
			return err
		}
		r.File = name
	}

	if key := r.key(); key != "" {
		_, r.Duplicate = b.seen[key]
		b.seen[key] = struct{}{}
	}
	if !r.Duplicate {
		b.unique++
	}
	b.list = append(b.list, *r)
	b.kept += len(r.Payload)
	for b.kept > b.keepBytes && b.oldest < len(b.list) {
		b.kept -= len(b.list[b.oldest].Payload)
		b.list[b.oldest].Payload = nil
		b.oldest++
	}

	if len(b.list) > maxRemembered {
		half := len(b.list) / 2
		for i := range b.list[:half] {
			b.kept -= len(b.list[i].Payload)
		}
		b.list = append([]Received(nil), b.list[half:]...)
		b.oldest = max(0, b.oldest-half)
	}

	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

func (b *inbox) all() []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Received(nil), b.list...)
}

func (b *inbox) wait(ctx context.Context, n int) ([]Received, error) {
	for {
		b.mu.Lock()
		got, changed, closed := b.unique, b.changed, b.closed
		b.mu.Unlock()
		if got >= n {
			return b.all(), nil
		}
		if closed {
			return b.all(), fmt.Errorf("local cloud was closed after %d of %d messages", got, n)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return b.all(), fmt.Errorf("%d of %d messages arrived: %w", got, n, context.Cause(ctx))
		}
	}
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

// fileName is safe whatever the device calls itself.
func fileName(number int, r *Received) string {
	ext := ".bin"
	switch r.Kind {
	case KindText:
		ext = ".ndjson"
	case KindMetrics, KindEvents:
		ext = ".json"
		if bytes.HasPrefix(r.Payload, []byte{0x1f, 0x8b}) {
			ext = ".json.gz"
		}
	}
	serial := strings.ReplaceAll(url.QueryEscape(r.DeviceSerial), ".", "%2E")
	if serial == "" {
		serial = "unknown"
	}
	return fmt.Sprintf("%06d-%s-%d-%.80s%s", number, r.Kind, r.ApplicationID, serial, ext)
}

// writeFile lets nobody see half a file, and nobody but its owner see one, since it
// may hold a token. It follows no link that was put there. A stand-in promises
// nothing about power cuts, so that it need not wait for the disk.
func writeFile(name string, b []byte) error {
	f, err := durable.Create(name, 0o600)
	if err != nil {
		return err
	}
	defer f.Abort()

	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Place()
}
