package filesink

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// want returns the records first to last as a reader returns them.
func want(first, last uint64) (all []ingest.Record) {
	for n := first; n <= last; n++ {
		r := testRecord(n)
		r.Sequence = n
		all = append(all, r)
	}
	return all
}

func same(t testing.TB, got, want []ingest.Record) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return // cmp is slow
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("records differ (-want +got):\n%.2000s", diff)
	}
}

func TestEachRecordIsReadBackAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, Config{Dir: dir, SegmentBytes: 20_000})
	follow, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	next := uint64(1)
	for _, n := range []uint64{1, 7, 30, 2, 60, 1} {
		appendAll(t, s, testRecords(next, n))
		// A reader that follows gets the batch at once, and then the end.
		for i := range n {
			r, err := follow.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			same(t, []ingest.Record{r}, want(next+i, next+i))
		}
		if _, err := follow.Next(t.Context()); !errors.Is(err, ingest.ErrEnd) {
			t.Fatalf("got %v at the end, want %v", err, ingest.ErrEnd)
		}
		next += n
	}

	segments, err := listSegments(dir)
	if err != nil || len(segments) < 3 {
		t.Fatalf("%d segments, error %v, want at least 3", len(segments), err)
	}

	for _, from := range []uint64{0, 1, 2, 38, 39, 100, 101} {
		got, lost := readAll(t, dir, from)
		if len(lost) > 0 {
			t.Fatalf("from %d: got losses %v, want none", from, lost)
		}
		same(t, got, want(max(from, 1), next-1))
	}

	if got, _ := readAll(t, dir, 102); len(got) > 0 {
		t.Errorf("got %d records behind the end, want none", len(got))
	}

	// It goes on where it was, and old segments can go.
	s.Close()
	s = open(t, Config{Dir: dir, SegmentBytes: 20_000})
	if s.Next() != next {
		t.Fatalf("next is %d, want %d", s.Next(), next)
	}

	appendAll(t, s, testRecords(next, 1))
	if err := s.Remove(50); err != nil {
		t.Fatal(err)
	}
	got, lost := readAll(t, dir, 1)
	if len(got) == 0 || got[0].Sequence > 50 || got[0].Sequence == 1 || len(lost) > 0 {
		t.Fatalf("after Remove(50): got %d records that begin with %+v, lost %v, want the first from 2 to 50 and none lost",
			len(got), got[:min(len(got), 1)], lost)
	}

	same(t, got, want(got[0].Sequence, next))
}

func TestRemovedSegmentIsALossToItsReader(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	appendAll(t, s, testRecords(1, 1))
	r, err := OpenReader(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	appendAll(t, s, testRecords(2, 1))
	appendAll(t, s, testRecords(3, 1))
	if err := s.Remove(3); err != nil {
		t.Fatal(err)
	}

	_, err = r.Next(t.Context())
	loss := (*ingest.LossError)(nil)
	if !errors.As(err, &loss) || loss.First != 1 || loss.Last != 2 {
		t.Fatalf("error %v, want the loss of records 1 to 2", err)
	}
	if rec, err := r.Next(t.Context()); err != nil || rec.Sequence != 3 {
		t.Fatalf("record %d, error %v, want 3", rec.Sequence, err)
	}
}

func TestSecondWorkerIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v, want ErrLocked", err)
	}
}

func TestAppendAfterCloseSaysSo(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	s.Close()
	if err := s.Append(t.Context(), testRecords(1, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}

func TestOpenRefusesABadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	strange := t.TempDir()
	if err := os.WriteFile(filepath.Join(strange, "1.seg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{{}, {Dir: file}, {Dir: t.TempDir(), SegmentBytes: -1}, {Dir: t.TempDir(), SegmentBytes: 2 << 30}, {Dir: strange}} {
		if s, err := Open(cfg); err == nil {
			s.Close()
			t.Errorf("got no error for %+v, want one", cfg)
		} else if !strings.HasPrefix(err.Error(), "open file sink") {
			t.Errorf("error %q, want \"open file sink\" first", err)
		}
	}
}

func TestOversizeRecordIsRefused(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	for _, r := range []ingest.Record{{Topic: strings.Repeat("t", 1<<16)}, {ID: strings.Repeat("t", 1<<16)}, {Payload: make([]byte, maxRecord)}} {
		if err := s.Append(t.Context(), []ingest.Record{r}); err == nil {
			t.Error("got no error of a record that is too large, want one")
		}
	}
	appendAll(t, s, testRecords(1, 1))
	got, _ := readAll(t, s.cfg.Dir, 1)
	same(t, got, want(1, 1))
}

// A record is visible, and Append returns, only after the fsync; and a failed
// fsync is never followed by another on the same file.
func TestNothingCountsBeforeTheSync(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	broken := errors.New("medium error")
	var synced []string
	fail := false
	s.sync = func(f *os.File) error {
		got, _ := readAll(t, dir, 1)
		if n := len(synced); len(got) != 2*n && !fail {
			t.Errorf("got %d records visible before sync %d, want %d", len(got), n+1, 2*n)
		}
		if fail {
			return broken
		}
		synced = append(synced, f.Name())
		return f.Sync()
	}

	appendAll(t, s, testRecords(1, 2))
	appendAll(t, s, testRecords(3, 2))
	if len(synced) != 2 {
		t.Fatalf("got %d syncs for 2 batches, want 2", len(synced))
	}
	fail = true
	before, err := os.Stat(synced[0])
	if err != nil {
		t.Fatal(err)
	}

	if err := s.Append(t.Context(), testRecords(5, 2)); !errors.Is(err, broken) {
		t.Fatalf("error %v, want that of the sync", err)
	}

	// Nothing of the batch stays in the file, where it would take room.
	if after, err := os.Stat(synced[0]); err != nil || after.Size() != before.Size() {
		t.Errorf("got segment %+v after a failure, error %v, want %d bytes", after, err, before.Size())
	}
	got, lost := readAll(t, dir, 1)
	if len(lost) > 0 {
		t.Fatalf("got losses %v, want none", lost)
	}

	same(t, got, want(1, 4))
	fail = false
	appendAll(t, s, testRecords(5, 2))
	if synced[0] != synced[1] || synced[2] == synced[1] {
		t.Errorf("got syncs of %q, want the first two of one file and the third of another", synced)
	}

	got, lost = readAll(t, dir, 1)
	if len(lost) > 0 {
		t.Fatalf("got losses %v, want none", lost)
	}
	same(t, got, want(1, 6))
}

// readOn returns what a reader that follows gets until the end.
func readOn(t testing.TB, r ingest.Reader) (all []ingest.Record) {
	t.Helper()
	for {
		rec, err := r.Next(t.Context())
		if errors.Is(err, ingest.ErrEnd) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
}

// A reader that has opened a segment whose first batch fails gets all that is
// written to it later.
func TestReaderFollowsThroughAFailedBatch(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), SegmentBytes: 1})
	follow, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	broken := errors.New("medium error")
	next := uint64(1)

	for range 3 {
		sync := s.sync
		for range 2 {
			s.sync = func(*os.File) error { return broken }
			if err := s.Append(t.Context(), testRecords(next, 3)); !errors.Is(err, broken) {
				t.Fatalf("error %v, want that of the sync", err)
			}
			same(t, readOn(t, follow), nil)
		}
		s.sync = sync
		appendAll(t, s, testRecords(next, 3))
		same(t, readOn(t, follow), want(next, next+2))
		next += 3
	}
}

// A damaged record of the newest segment is lost to a reader that follows; what is
// appended behind it is not, whether or not a newer segment comes.
func TestReaderFollowsBehindDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 20_000})
	appendAll(t, s, testRecords(1, 2))
	content, places := newest(t, dir)
	content[places[1].offset+9] ^= 1
	rewrite(t, segmentName(dir, 1), content)
	follow, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	if _, err := follow.Next(t.Context()); err != nil {
		t.Fatal(err)
	}

	sync := s.sync
	s.sync = func(f *os.File) error {
		s.sync = sync
		loss := (*ingest.LossError)(nil)
		if _, err := follow.Next(t.Context()); !errors.As(err, &loss) || loss.First != 2 || loss.Last != 2 {
			t.Fatalf("error %v, want the loss of record 2", err)
		}
		same(t, readOn(t, follow), nil) // what is being synced is not durable yet
		return sync(f)
	}

	for next := uint64(3); next < 60; next += 3 {
		appendAll(t, s, testRecords(next, 3))
		same(t, readOn(t, follow), want(next, next+2))
	}

	if all, err := listSegments(dir); err != nil || len(all) < 2 {
		t.Errorf("segments %v, error %v, want len(all) at least 2", all, err)
	}
}

// The index is not synced: a power cut can leave zeros in that of a segment which
// is no longer the newest. The records are still there.
func TestZeroedIndexLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	appendAll(t, s, testRecords(1, 4))
	appendAll(t, s, testRecords(5, 1))
	rewrite(t, indexName(dir, 1), make([]byte, 4*indexEntry))
	got, lost := readAll(t, dir, 1)
	if len(lost) > 0 {
		t.Fatalf("got losses %v, want none", lost)
	}
	same(t, got, want(1, 5))
}
