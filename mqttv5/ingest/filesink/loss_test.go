package filesink

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// snapshot returns the contents of all files of a directory by name.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// torn returns a sink of 5 records whose storage lied: bytes are cut from the end of
// the segment after the index was written.
func torn(t *testing.T, cut int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 5))
	s.Close()
	content, _ := newest(t, dir)
	rewrite(t, segmentName(dir, 1), content[:max(len(content)-cut, 0)])
	return dir
}

// F35, case torn-tail-forgotten: what storage lost stays lost however often the sink is opened, its numbers are
// never given out again, and what comes later is all there.
func TestLossIsNeverForgotten(t *testing.T) {
	_, places := newest(t, torn(t, 0))
	head := int(places[0].offset)
	size := int(places[4].offset + places[4].length)
	for name, cut := range map[string]int{
		"one byte": 1, "the last record": int(places[4].length), "all but the first": size - int(places[1].offset), "all records": size - head,
		"half the head": size - head/2, "everything": size,
	} {
		t.Run(name, func(t *testing.T) {
			dir := torn(t, cut)
			gone := uint64(0)
			for _, e := range places {
				if int(e.offset+e.length) > size-cut {
					gone++
				}
			}

			first := 5 - gone + 1
			for range 3 {
				var log bytes.Buffer
				s := open(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if s.Next() != 6 {
					t.Fatalf("next is %d, want 6", s.Next())
				}
				s.Close()
				if !strings.Contains(log.String(), "records of the sink are lost") || !strings.Contains(log.String(), "last=5") {
					t.Errorf("the worker said %q, want the loss of %d to 5", log.String(), first)
				}
			}

			s := open(t, Config{Dir: dir})
			appendAll(t, s, testRecords(6, 2))
			s.Close()
			for range 2 {
				got, lost := readAll(t, dir, 1)
				same(t, got, append(want(1, 5-gone), want(6, 7)...))
				covered := spans{}
				for _, l := range lost {
					covered = covered.with(span{l.First, l.Last})
				}
				if len(covered) != 1 || covered[0] != (span{first, 5}) {
					t.Errorf("lost %v, want %d to 5", covered, first)
				}
			}
		})
	}
}

// F35: storage may lose a whole file. The index beside it says which numbers were given
// out: they stay lost, and are never given again.
func TestNumbersOfALostSegmentStayLost(t *testing.T) {
	for name, segments := range map[string]int64{"the only one": 0, "the newest": 1} {
		dir := t.TempDir()
		s := open(t, Config{Dir: dir, SegmentBytes: segments})
		appendAll(t, s, testRecords(1, 2))
		appendAll(t, s, testRecords(3, 3))
		s.Close()
		all, err := listSegments(dir)
		if err != nil {
			t.Fatal(err)
		}
		first := all[len(all)-1]
		if err := os.Remove(segmentName(dir, first)); err != nil {
			t.Fatal(err)
		}

		for range 2 {
			var log bytes.Buffer
			s := open(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if s.Next() != 6 || !strings.Contains(log.String(), "last=5") {
				t.Errorf("%s: next is %d, and the worker said %q; want 6 and the loss", name, s.Next(), log.String())
			}
			s.Close()
		}
		s = open(t, Config{Dir: dir})
		appendAll(t, s, testRecords(6, 1))
		s.Close()
		got, lost := readAll(t, dir, 1)
		same(t, got, append(want(1, first-1), want(6, 6)...))
		if len(lost) != 1 || lost[0].First != first || lost[0].Last != 5 {
			t.Errorf("%s: lost %v, want %d to 5", name, lost, first)
		}
	}
}

// A damaged head loses nothing: each record bears the marker too.
func TestFlippedHeadLosesNothing(t *testing.T) {
	for at := range segmentHead {
		dir := torn(t, 0)
		content, _ := newest(t, dir)
		content[at] ^= 0x10
		rewrite(t, segmentName(dir, 1), content)
		for range 2 {
			got, lost := readAll(t, dir, 1)
			same(t, got, want(1, 5))
			if len(lost) > 0 {
				t.Fatalf("byte %d: lost %v, want nothing", at, lost)
			}
		}

		s := open(t, Config{Dir: dir})
		appendAll(t, s, testRecords(6, 1))
		s.Close()
		got, lost := readAll(t, dir, 1)
		same(t, got, want(1, 6))
		if len(lost) > 0 {
			t.Fatalf("byte %d: lost %v after an append, want nothing", at, lost)
		}
	}
}

// F36: reading changes nothing, however damaged the sink is, and tells the same each
// time.
func TestReadingChangesNothing(t *testing.T) {
	dir := torn(t, 100)
	before := snapshot(t, dir)
	for range 3 {
		if _, err := OpenSource(dir); err != nil {
			t.Fatal(err)
		}
		if _, lost := readAll(t, dir, 1); len(lost) != 1 || lost[0].First != 5 {
			t.Errorf("lost %v, want record 5", lost)
		}
	}
	after := snapshot(t, dir)
	for name, content := range after {
		if before[name] != content {
			t.Errorf("%s: got %q after reading, want it unchanged: %q", name, content, before[name])
		}
	}
	if len(after) != len(before) {
		t.Errorf("got %d files after reading, want %d", len(after), len(before))
	}
}

// An accepted loss is told as such, and another one is not covered by it.
func TestAcceptedLossCoversNoOther(t *testing.T) {
	dir := torn(t, 1)
	_, lost := readAll(t, dir, 1)
	if len(lost) != 1 || lost[0].Accepted {
		t.Fatalf("lost %+v, want one that nobody has accepted", lost)
	}
	if err := AcceptLosses(dir, []ingest.LossError{*lost[0]}); err != nil {
		t.Fatal(err)
	}

	if _, lost = readAll(t, dir, 1); len(lost) != 1 || !lost[0].Accepted {
		t.Errorf("lost %+v, want one that is accepted", lost)
	}
	var log bytes.Buffer
	s := open(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if log.Len() > 0 {
		t.Errorf("got %q about what was accepted, want nothing", log.String())
	}

	appendAll(t, s, testRecords(6, 1))
	s.Close()
	if err := os.Truncate(segmentName(dir, 6), 40); err != nil {
		t.Fatal(err)
	}
	_, lost = readAll(t, dir, 1)
	if len(lost) != 2 || !lost[0].Accepted || lost[1].Accepted || lost[1].First != 6 {
		t.Errorf("lost %+v, want 5 accepted and 6 not", lost)
	}

	rewrite(t, acceptedName(dir), []byte("5 five\n"))
	if _, err := OpenReader(dir, 1); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error %v about a file that was changed, want its line", err)
	}
}

// What a worker had written when it was killed, and not yet entered into the index,
// is read as soon as there is no worker, and not before.
func TestTailOfACrashIsReadWithoutAWorker(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 5))
	index, err := os.ReadFile(indexName(dir, 1))
	if err != nil {
		t.Fatal(err)
	}

	rewrite(t, indexName(dir, 1), index[:2*indexEntry])
	source, err := OpenSource(dir)
	if err != nil {
		t.Fatal(err)
	}

	for _, alive := range []bool{true, false} {
		last := uint64(5)
		if alive {
			last = 2
		} else {
			s.Close()
		}
		got, lost := readAll(t, dir, 1)
		if len(lost) > 0 {
			t.Fatalf("got losses %v, want none", lost)
		}
		same(t, got, want(1, last))
		e, err := source.Extent(t.Context())
		if err != nil || e.First != 1 || e.Next != last+1 {
			t.Errorf("with a worker %v: extent %+v, error %v, want 1 to %d", alive, e, err, last)
		}
	}

	if s := open(t, Config{Dir: dir}); s.Next() != 6 {
		t.Errorf("next is %d, want 6", s.Next())
	}
}

// A sink has one identity for ever, and another sink another.
func TestIdentityIsKeptForEver(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	ids := map[string]bool{}
	for _, dir := range []string{dir, dir, other} {
		s := open(t, Config{Dir: dir})
		e, err := s.Extent(t.Context())
		if err != nil || e.ID == "" {
			t.Fatalf("extent %+v, error %v, want some ID", e, err)
		}
		ids[e.ID] = true
		s.Close()
	}
	if len(ids) != 2 {
		t.Errorf("identities %v, want two", ids)
	}
	rewrite(t, identityName(dir), []byte("id 1\n"))
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not the identity") {
		t.Errorf("got %v of an identity that was changed, want an error that says it is not the identity", err)
	}
}

// F37, case not-a-sink: a directory of other files is no sink, and gets nothing, not even a lock.
func TestDirectoryThatIsNoSinkGetsNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenSource(dir); !errors.Is(err, ErrNoSink) {
		t.Errorf("error %v about an empty directory, want ErrNoSink", err)
	}
	rewrite(t, filepath.Join(dir, "config"), []byte("broker = b\n"))
	if _, err := OpenSource(dir); !errors.Is(err, ErrNoSink) {
		t.Errorf("error %v about a directory of other files, want ErrNoSink", err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), `"config"`) {
		t.Errorf("error %v of opening it to write, want one that names the file", err)
	}
	if files := snapshot(t, dir); len(files) != 1 {
		t.Errorf("files %v, want the one that was there", files)
	}
}

// F53: where an index, a lock or an identity will be, a link is not followed.
func TestPlantedLinksAreNotFollowed(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	for _, name := range []string{"lock", "sink", "00000000000000000001.idx", "00000000000000000001.seg", "accepted-losses", "newest"} {
		rewrite(t, victim, []byte("precious"))
		dir := t.TempDir()
		open(t, Config{Dir: dir}).Close()
		os.Remove(filepath.Join(dir, name))
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		if s, err := Open(Config{Dir: dir}); err == nil {
			err = s.Append(t.Context(), testRecords(1, 1))
			err = errors.Join(err, AcceptLosses(dir, []ingest.LossError{{First: 1, Last: 1}}))
			s.Close()
			if err == nil {
				t.Errorf("%s is a link: got nothing refused, want an error", name)
			}
		}
		if b, err := os.ReadFile(victim); err != nil || string(b) != "precious" {
			t.Errorf("%s is a link: got %q in its target, error %v, want it unchanged: precious", name, b, err)
		}
	}
}

// F56: a directory that others may write to is told.
func TestDirectoryOpenToOthersIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	open(t, Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "others may write") {
		t.Errorf("log %q, want a warning", log.String())
	}
}

// shortRecords are of a size that a fuzzer can make smaller in a moment.
func shortRecords(n uint64) (all []ingest.Record) {
	for i := range n {
		r := testRecord(i + 1)
		r.Payload, r.Reason = r.Payload[:min(len(r.Payload), 8)], ""
		all = append(all, r)
	}
	return all
}

// Whatever segment and index hold, reading ends and tells what it does not return;
// opening to write keeps every number that the index has, comes to the same end when
// it is done again, and a reader then finds the same.
func FuzzSegmentAndIndex(f *testing.F) {
	dir := f.TempDir()
	s := open(f, Config{Dir: dir})
	appendAll(f, s, shortRecords(3))
	s.Close()
	segment, _ := newest(f, dir)
	index, err := os.ReadFile(indexName(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	identity, err := os.ReadFile(identityName(dir))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(segment, index)
	f.Add(segment[:len(segment)-9], index)
	f.Add(segment, index[:indexEntry])
	f.Add(segment[:3], index)
	f.Add(segment, append(bytes.Clone(index), 1, 2, 3))
	f.Fuzz(func(t *testing.T, segment, index []byte) {
		if len(segment) > 4<<10 || len(index) > 1<<10 {
			return // no more to be found in it, and slow
		}
		dir := durabletest.MemoryDir(t)
		rewrite(t, identityName(dir), identity)
		rewrite(t, segmentName(dir, 1), segment)
		rewrite(t, indexName(dir, 1), index)

		next := uint64(0)
		for range 2 {
			s, err := Open(Config{Dir: dir})
			if err != nil {
				return // a head that is none
			}
			if s.Next() < 1+uint64(len(index)/indexEntry) || next != 0 && s.Next() != next {
				t.Fatalf("got next %d after %d entries, %d before, want it behind the entries and the same each time", s.Next(), len(index)/indexEntry, next)
			}
			next = s.Next()
			s.Close()
		}

		r, err := OpenReader(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		told := uint64(1) // number of the next record to hear of
		for {
			rec, err := r.Next(t.Context())
			loss := (*ingest.LossError)(nil)
			switch {
			case errors.Is(err, ingest.ErrEnd):
				if told != next {
					t.Fatalf("got the end before record %d, want it before %d", told, next)
				}
				return
			case errors.As(err, &loss):
				if loss.First != told || loss.Last < loss.First || loss.Last >= next {
					t.Fatalf("got %d to %d lost, want a loss from %d on, before %d", loss.First, loss.Last, told, next)
				}
				told = loss.Last + 1
			case err != nil:
				t.Fatal(err)
			default:
				if rec.Sequence != told {
					t.Fatalf("got record %d, want %d", rec.Sequence, told)
				}
				told++
			}
		}
	})
}
