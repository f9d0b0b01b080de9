package filesink

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// ErrLocked means that another process writes to the directory.
var ErrLocked = errors.New("another process writes to this directory")

// ErrClosed means that the Sink was closed.
var ErrClosed = errors.New("file sink is closed")

// A batch is written in pieces of about this many bytes.
const pieceSize = 1 << 20

// Longest batch, in bytes: an offset in a segment has 32 bits.
const maxBatch int64 = 2 << 30

// Config says where the files are.
type Config struct {
	// Dir is the directory; it is made when it does not exist. Default: none,
	// required.
	Dir string

	// SegmentBytes is the size from which a new segment is begun, at most 1 GiB.
	// Default: 64 MiB.
	SegmentBytes int64

	// Logger gets what a person should know of the directory: losses that nobody
	// has accepted, and that others may write to it. Default: discards.
	Logger *slog.Logger
}

// Sink appends records to files. It implements ingest.Sink and ingest.Source.
type Sink struct {
	cfg  Config
	lock *os.File
	id   identity

	mu      sync.Mutex
	next    uint64 // sequence number of the next record
	seg     *os.File
	idx     *os.File // nil when it could not be opened; readers then scan
	first   uint64   // of the newest segment
	noted   uint64   // what the file newest says of it
	lost    uint64   // first of a lost segment that this file will no longer tell of, or 0
	marker  marker
	size    int64   // durable bytes of the newest segment
	pending []entry // durable, and not yet in the index
	buf     []byte
	batch   []entry
	err     error // ErrClosed

	sync func(*os.File) error // (*os.File).Sync but in tests
}

// Open takes the directory's lock and makes ready what a crash left behind.
func Open(cfg Config) (*Sink, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open file sink: Dir is empty; it names the directory for the records")
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = 64 << 20
	}
	if cfg.SegmentBytes < 1 || cfg.SegmentBytes > 1<<30 {
		return nil, fmt.Errorf("open file sink: SegmentBytes %d is not between 1 and %d", cfg.SegmentBytes, 1<<30)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := durable.MakeDir(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open file sink: %w", err)
	}

	// Before the lock, which a directory that is no sink must not get.
	id, err := usable(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open file sink %s: %w", cfg.Dir, err)
	}

	l, err := lock(lockName(cfg.Dir))
	if err != nil {
		return nil, fmt.Errorf("open file sink %s: %w", cfg.Dir, err)
	}

	s := &Sink{cfg: cfg, lock: l, id: id, next: 1, sync: (*os.File).Sync}
	for _, step := range [...]func() error{s.identify, s.recover, s.tell} {
		if err := step(); err != nil {
			s.Close()
			return nil, fmt.Errorf("open file sink %s: %w", cfg.Dir, err)
		}
	}

	if info, err := os.Stat(cfg.Dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		cfg.Logger.Warn("others may write to the directory of the sink; chmod go-w closes it", "sink", cfg.Dir, "mode", info.Mode().Perm())
	}
	return s, nil
}

// identify gives the directory the file newest and its identity, in this order: with an
// identity of this version the file must be there. A full disk keeps them from a sink that
// an earlier version made, or whose newest segment is not noted; it goes on without.
func (s *Sink) identify() error {
	err := s.note()
	if err == nil {
		s.id, err = identify(s.cfg.Dir, s.id)
	}
	if err == nil {
		return nil
	}
	l, other := survey(s.cfg.Dir, s.id)
	if other != nil || len(l.all) == 0 {
		return err
	}
	s.cfg.Logger.Warn("the sink gets no identity yet, by which an export tells it from others", "sink", s.cfg.Dir, "error", err)
	return nil
}

func lockName(dir string) string { return filepath.Join(dir, "lock") }

// Append implements ingest.Sink. The context is looked at before writing begins
// only: a write to a disk cannot be called back.
func (s *Sink) Append(ctx context.Context, records []ingest.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.err, ctx.Err()); err != nil {
		return err
	}
	if len(records) == 0 {
		return nil
	}

	total := int64(0)
	for i := range records {
		size, err := checkSize(&records[i])
		if total += size; err == nil && total > maxBatch {
			err = fmt.Errorf("batch of more than %d bytes; append fewer records at once", maxBatch)
		}
		if err != nil {
			return fmt.Errorf("append to file sink %s: %w", s.cfg.Dir, err)
		}
	}

	if s.seg != nil && s.size >= s.cfg.SegmentBytes {
		s.leave()
	}
	if s.seg == nil {
		if err := s.begin(); err != nil {
			return fmt.Errorf("begin segment of file sink %s: %w", s.cfg.Dir, err)
		}
	}

	end, err := s.write(records)
	if err == nil {
		err = s.sync(s.seg)
	}
	if err != nil {
		err = fmt.Errorf("append to file sink %s: %w", s.cfg.Dir, err)
		// Cutting off what was written of the batch keeps the segment in order;
		// if that fails too, readers are still safe, since the index is not
		// written and the numbers go to the next segment.
		s.seg.Truncate(s.size)
		s.leave()
		return err
	}

	s.size = end
	s.next += uint64(len(records))
	s.pending = append(s.pending, s.batch...)
	s.index()
	return nil
}

// write writes a batch behind the durable bytes and returns where it ends.
func (s *Sink) write(records []ingest.Record) (end int64, err error) {
	s.buf, s.batch = s.buf[:0], s.batch[:0]
	at := s.size // of buf
	for i := range records {
		start := len(s.buf)
		s.buf = appendRecord(s.buf, s.marker, s.next+uint64(i), &records[i])
		s.batch = append(s.batch, entry{uint32(at + int64(start)), uint32(len(s.buf) - start)})
		if len(s.buf) >= pieceSize || i == len(records)-1 {
			if _, err := s.seg.WriteAt(s.buf, at); err != nil {
				return 0, err
			}
			at += int64(len(s.buf))
			s.buf = s.buf[:0]
		}
	}
	if cap(s.buf) > 4*pieceSize {
		s.buf = nil // one large batch must not hold its memory for ever
	}
	return at, nil
}

// index writes the entries of durable records. Where that fails, readers find the
// records a batch later, or by scanning once there is a newer segment.
func (s *Sink) index() {
	if s.idx == nil {
		s.pending = s.pending[:0]
		return
	}
	s.buf = s.buf[:0]
	for _, e := range s.pending {
		s.buf = e.appendTo(s.buf)
	}
	n, err := s.idx.Write(s.buf)
	if err != nil && n%indexEntry != 0 {
		// Half an entry: what follows would be shifted.
		s.idx.Close()
		s.idx = nil
		return
	}
	s.pending = slices.Delete(s.pending, 0, n/indexEntry)
}

// begin makes the segment of the next record. If there is one of that name, no
// durable record is in it; it keeps its marker, which a reader may know already.
func (s *Sink) begin() error {
	name := segmentName(s.cfg.Dir, s.next)
	seg, err := openFile(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}

	idx, err := openFile(indexName(s.cfg.Dir, s.next), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		seg.Close()
		return err
	}
	if err := s.remember(); err != nil {
		seg.Close()
		idx.Close()
		return err
	}
	if s.marker, err = readMarker(seg); err != nil {
		rand.Read(s.marker[:]) // never fails, by its documentation
	}

	// All is written anew: the kernel may have dropped what a sync that failed was
	// to write. The file does not get shorter than its head, by which one that storage
	// has cut off is known.
	head := append([]byte(segmentMagic), s.marker[:]...)
	if _, err = seg.WriteAt(head, 0); err == nil {
		err = seg.Truncate(int64(segmentHead))
	}
	if err == nil {
		err = seg.Sync()
	}
	if err == nil {
		err = durable.SyncDir(s.cfg.Dir)
	}

	// Only now, and before a record is in it: what is noted and not there is lost.
	if err == nil && s.noted != s.next {
		if err = writeNewest(s.cfg.Dir, s.next); err == nil {
			s.noted = s.next
		}
	}
	if err != nil {
		seg.Close()
		idx.Close()
		return err
	}

	s.seg, s.idx, s.first, s.size, s.pending = seg, idx, s.next, int64(segmentHead), s.pending[:0]
	return nil
}

// leave closes the newest segment, which is not written to again.
func (s *Sink) leave() {
	if s.seg != nil {
		s.seg.Close()
	}
	if s.idx != nil {
		s.idx.Close()
	}
	s.seg, s.idx = nil, nil
}

// Next returns the sequence number that the next record will get.
func (s *Sink) Next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// Remove deletes the segments whose records all have sequence numbers below
// before: those that were exported, for example. The newest segment stays.
func (s *Sink) Remove(before uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	all, err := listSegments(s.cfg.Dir)
	if err != nil {
		return err
	}

	for i := 0; i+1 < len(all) && all[i+1] <= before; i++ {
		// The segment last: an index alone is in nobody's way.
		err := os.Remove(indexName(s.cfg.Dir, all[i]))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		err = os.Remove(segmentName(s.cfg.Dir, all[i]))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(s.cfg.Dir)
}

// Extent implements ingest.Source.
func (s *Sink) Extent(context.Context) (ingest.Extent, error) {
	e, err := extent(s.cfg.Dir)
	e.Next = s.Next()
	return e, err
}

// Read implements ingest.Source.
func (s *Sink) Read(_ context.Context, from uint64) (ingest.Reader, error) {
	return OpenReader(s.cfg.Dir, from)
}

// Close releases the directory. What Append has returned for is durable already.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil
	}
	s.err = ErrClosed
	s.leave()
	return s.lock.Close()
}
