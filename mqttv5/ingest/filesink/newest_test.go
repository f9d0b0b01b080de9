package filesink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// segmented makes a sink of segments of two records each.
func segmented(t *testing.T, segments uint64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	for i := range segments {
		appendAll(t, s, testRecords(2*i+1, 2))
	}
	s.Close()
	return dir
}

func remove(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// unaccepted returns the numbers of the losses that nobody has accepted, and where one of
// an unknown count begins.
func unaccepted(lost []*ingest.LossError) (numbers spans, uncounted uint64) {
	for _, l := range lost {
		switch {
		case l.Accepted:
		case l.Uncounted:
			uncounted = l.First
		default:
			numbers = numbers.with(span{l.First, l.Last})
		}
	}
	return numbers, uncounted
}

// reopened opens a sink to write and returns what the worker goes on with and has said.
func reopened(t *testing.T, dir string) (next uint64, log string) {
	t.Helper()
	var b bytes.Buffer
	s := open(t, Config{Dir: dir, SegmentBytes: 1, Logger: slog.New(slog.NewTextHandler(&b, nil))})
	s.Close()
	return s.Next(), b.String()
}

// F35, F36: of a segment whose file is gone, or cut to less than its head, the index tells
// the numbers. Reading commands tell the loss before any worker has looked, each time, and
// so does the worker, whose numbers go on behind them.
func TestLostFileIsToldFromItsIndex(t *testing.T) {
	const segments = 4 // of the numbers 1 and 2, 3 and 4, and so on
	for mask := 1; mask < 1<<segments; mask++ {
		for _, size := range []int64{-1, 0, 7} {
			t.Run(fmt.Sprintf("%04b,%d", mask, size), func(t *testing.T) {
				dir := segmented(t, segments)
				var gone spans
				var left []ingest.Record
				for i := range uint64(segments) {
					first := 2*i + 1
					switch {
					case mask>>i&1 == 0:
						left = append(left, want(first, first+1)...)
						continue
					case size < 0:
						remove(t, segmentName(dir, first))
					default:
						if err := os.Truncate(segmentName(dir, first), size); err != nil {
							t.Fatal(err)
						}
					}
					gone = gone.with(span{first, first + 1})
				}

				before := snapshot(t, dir)
				check := func(when string, more ...ingest.Record) {
					t.Helper()
					for range 2 {
						got, lost := readAll(t, dir, 1)
						same(t, got, append(slices.Clone(left), more...))
						if numbers, uncounted := unaccepted(lost); !slices.Equal(numbers, gone) || uncounted != 0 {
							t.Errorf("%s: lost %v, want %v", when, lost, gone)
						}
					}
				}
				check("reading")
				if e, err := (Source{dir}).Extent(t.Context()); err != nil || e.First != 1 || e.Next != 2*segments+1 || e.Uncounted {
					t.Errorf("extent %+v, error %v, want 1 to %d", e, err, 2*segments+1)
				}
				if after := snapshot(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("got %v after reading, want the sink unchanged: %v", after, before)
				}

				for range 2 {
					next, log := reopened(t, dir)
					if told := fmt.Sprintf("first=%d last=%d", gone[0].first, gone[0].last); next != 2*segments+1 || !strings.Contains(log, told) {
						t.Errorf("next is %d and the worker said %q, want %d and %s", next, log, 2*segments+1, told)
					}
				}
				check("after a worker")
				s := open(t, Config{Dir: dir, SegmentBytes: 1})
				appendAll(t, s, testRecords(2*segments+1, 2))
				s.Close()
				check("after an append", want(2*segments+1, 2*segments+2)...)
			})
		}
	}
}

// F35: of a segment whose file and index are both gone, the file newest knows that it was
// begun. Its numbers are not given again; that records are lost is told until it is
// accepted, and how many is not known.
func TestLostSegmentIsToldFromTheNote(t *testing.T) {
	damage := map[string]func(t *testing.T, dir string, first uint64){
		"both files gone": func(t *testing.T, dir string, first uint64) {
			remove(t, segmentName(dir, first), indexName(dir, first))
		},
		"file gone, index empty": func(t *testing.T, dir string, first uint64) {
			remove(t, segmentName(dir, first))
			rewrite(t, indexName(dir, first), nil)
		},
		"both empty": func(t *testing.T, dir string, first uint64) {
			rewrite(t, segmentName(dir, first), nil)
			rewrite(t, indexName(dir, first), nil)
		},
		"file too short, no index": func(t *testing.T, dir string, first uint64) {
			rewrite(t, segmentName(dir, first), make([]byte, segmentHead-1))
			remove(t, indexName(dir, first))
		},
		"head and first record damaged, moved away as the error says": func(t *testing.T, dir string, first uint64) {
			b, err := os.ReadFile(segmentName(dir, first))
			if err != nil {
				t.Fatal(err)
			}
			rewrite(t, segmentName(dir, first), append(make([]byte, segmentHead+recordHead), b[segmentHead+recordHead:]...))
			remove(t, indexName(dir, first))
			if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "move it away") {
				t.Fatalf("error %v, want the advice to move the segment away", err)
			}
			if err := os.Rename(segmentName(dir, first), segmentName(dir, first)+".damaged"); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, harm := range damage {
		for _, segments := range []uint64{1, 3} {
			t.Run(fmt.Sprintf("%s of %d", name, segments), func(t *testing.T) {
				dir := segmented(t, segments)
				first := 2*segments - 1
				harm(t, dir, first)
				left := want(1, first-1)
				next := first + mostRecords

				check := func(when string, more ...ingest.Record) {
					t.Helper()
					for range 2 {
						got, lost := readAll(t, dir, 1)
						same(t, got, append(slices.Clone(left), more...))
						if numbers, uncounted := unaccepted(lost); len(numbers) > 0 || uncounted != first {
							t.Errorf("%s: lost %v, want what follows %d", when, lost, first)
						}
					}
				}
				before := snapshot(t, dir)
				check("reading")
				if e, err := (Source{dir}).Extent(t.Context()); err != nil || e.Next != next || !e.Uncounted {
					t.Errorf("extent %+v, error %v, want next %d and Uncounted", e, err, next)
				}
				if after := snapshot(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("got %v after reading, want the sink unchanged: %v", after, before)
				}

				for range 2 {
					got, log := reopened(t, dir)
					if told := fmt.Sprintf("first=%d", first); got != next || !strings.Contains(log, told) || !strings.Contains(log, "how many is not known") {
						t.Errorf("next is %d and the worker said %q, want %d and %s", got, log, next, told)
					}
				}
				check("after a worker")
				s := open(t, Config{Dir: dir, SegmentBytes: 1})
				appendAll(t, s, testRecords(next, 2))
				s.Close()
				check("after an append", want(next, next+1)...)
				if got, log := reopened(t, dir); got != next+2 || !strings.Contains(log, "how many is not known") {
					t.Errorf("next is %d and the worker said %q, want %d and the loss", got, log, next+2)
				}

				_, lost := readAll(t, dir, 1)
				if err := AcceptLosses(dir, []ingest.LossError{*lost[0]}); err != nil {
					t.Fatal(err)
				}
				_, lost = readAll(t, dir, 1)
				if _, uncounted := unaccepted(lost); len(lost) != 1 || uncounted != 0 {
					t.Errorf("lost %+v, want one that is accepted", lost)
				}
				if _, log := reopened(t, dir); log != "" {
					t.Errorf("got %q of the worker, want no word about what was accepted", log)
				}
			})
		}
	}
}

// A second segment that is lost like the first is another loss: what was accepted of one
// does not cover it.
func TestLostTwice(t *testing.T) {
	dir := segmented(t, 2)
	first := uint64(3)
	for range 3 {
		remove(t, segmentName(dir, first), indexName(dir, first))
		_, lost := readAll(t, dir, 1)
		if _, uncounted := unaccepted(lost); uncounted != first {
			t.Fatalf("lost %v, want what follows %d", lost, first)
		}
		for _, l := range lost {
			if err := AcceptLosses(dir, []ingest.LossError{*l}); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, Config{Dir: dir, SegmentBytes: 1})
		if first = s.Next(); first < mostRecords {
			t.Fatalf("next is %d, want a number that nobody can have", first)
		}
		appendAll(t, s, testRecords(first, 1))
		s.Close()
	}
}

// A reader that follows goes on with the segment that comes, whatever its number, and
// tells the loss once.
func TestReaderFollowsBehindALostSegment(t *testing.T) {
	for _, alive := range []bool{false, true} {
		dir := segmented(t, 1)
		s := open(t, Config{Dir: dir, SegmentBytes: 1})
		appendAll(t, s, testRecords(3, 2))
		if !alive {
			s.Close()
		}
		r, err := OpenReader(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		same(t, readOn(t, r), want(1, 4))
		r.Close()
		if r, err = OpenReader(dir, 3); err != nil {
			t.Fatal(err)
		}
		defer r.Close()

		remove(t, segmentName(dir, 3), indexName(dir, 3))
		loss := (*ingest.LossError)(nil)
		if _, err := r.Next(t.Context()); !errors.As(err, &loss) || loss.First != 3 || !loss.Uncounted {
			t.Fatalf("error %v, want the loss of what follows 3", err)
		}
		same(t, readOn(t, r), nil)
		if !alive {
			s = open(t, Config{Dir: dir, SegmentBytes: 1})
		}
		next := s.Next()
		for range 2 {
			appendAll(t, s, testRecords(next, 2))
			same(t, readOn(t, r), want(next, next+1))
			next += 2
		}
	}
}

// Segments that a person or Remove took away from the old end are no loss, and neither is
// a segment of which a crash left the beginning.
func TestNoLossWhereNothingIsLost(t *testing.T) {
	dir := segmented(t, 4)
	remove(t, segmentName(dir, 1), indexName(dir, 1))
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	if err := s.Remove(5); err != nil {
		t.Fatal(err)
	}
	s.Close()
	quiet := func(when string, first, last uint64) {
		t.Helper()
		got, lost := readAll(t, dir, 1)
		same(t, got, want(first, last))
		if next, log := reopened(t, dir); len(lost) > 0 || log != "" || next != last+1 {
			t.Errorf("%s: lost %v, next %d and the worker said %q, want nothing lost and %d", when, lost, next, log, last+1)
		}
	}
	quiet("the old end is removed", 5, 8)

	for _, left := range []string{"", "ulogseg1", segmentMagic + "12345678"} {
		rewrite(t, segmentName(dir, 9), []byte(left))
		rewrite(t, indexName(dir, 9), nil)
		quiet(fmt.Sprintf("a crash left %q", left), 5, 8)
		remove(t, segmentName(dir, 9), indexName(dir, 9))
		if err := writeNewest(dir, 7); err != nil { // of a directory that was not synced
			t.Fatal(err)
		}
		quiet("and the power took it", 5, 8)
	}
}

// A segment that is begun again, after its first batch failed, is never shorter than its
// head: a crash then must not look like a loss.
func TestSegmentIsBegunAgainWithItsHead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	s.sync = func(*os.File) error { return os.ErrInvalid }
	for range 2 {
		if err := s.Append(t.Context(), testRecords(1, 1)); err == nil {
			t.Fatal("got no error")
		}
	}
	s.Close()
	if info, err := os.Stat(segmentName(dir, 1)); err != nil || info.Size() != int64(segmentHead) {
		t.Errorf("size %d, error %v, want %d", info.Size(), err, segmentHead)
	}
	if _, lost := readAll(t, dir, 1); len(lost) > 0 {
		t.Errorf("lost %v, want nothing", lost)
	}
	if next, log := reopened(t, dir); next != 1 || log != "" {
		t.Errorf("next is %d and the worker said %q, want 1 and nothing", next, log)
	}
}

// A segment is noted after its name is durable, and before a record is in it; where that
// fails nothing is stored, and the next batch begins it again.
func TestNothingIsStoredInASegmentThatIsNotNoted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	appendAll(t, s, testRecords(1, 1))
	note, err := os.ReadFile(newestName(dir))
	if err != nil {
		t.Fatal(err)
	}

	remove(t, newestName(dir))
	if err := os.Mkdir(newestName(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Append(t.Context(), testRecords(2, 1)); err == nil {
			t.Fatal("got no error")
		}
	}

	remove(t, newestName(dir))
	rewrite(t, newestName(dir), note)
	appendAll(t, s, testRecords(2, 1))
	got, lost := readAll(t, dir, 1)
	same(t, got, want(1, 2))
	if noted, err := readNewest(dir); err != nil || noted != 2 || len(lost) > 0 {
		t.Errorf("noted %d, error %v, lost %v, want 2 and nothing lost", noted, err, lost)
	}
}

// Each byte of the file newest may be damaged without harm. Where all of it is, or it is
// gone, nobody knows whether there was a newer segment: that is told, and no number is
// given that one may have had.
func TestDamagedNote(t *testing.T) {
	dir := segmented(t, 2)
	note, err := os.ReadFile(newestName(dir))
	if err != nil {
		t.Fatal(err)
	}
	for at := range note {
		bad := bytes.Clone(note)
		bad[at] ^= 1
		rewrite(t, newestName(dir), bad)
		if next, log := reopened(t, dir); next != 5 || log != "" {
			t.Errorf("byte %d: next is %d and the worker said %q, want 5 and nothing", at, next, log)
		}
	}

	for name, content := range map[string][]byte{"gone": nil, "empty": {}, "cut": note[:lenNewestLine-1], "zeros": make([]byte, len(note))} {
		for _, all := range []bool{true, false} {
			dir, first := segmented(t, 2), uint64(5)
			if !all {
				remove(t, segmentName(dir, 3), indexName(dir, 3))
				first = 3
			}
			if remove(t, newestName(dir)); content != nil {
				rewrite(t, newestName(dir), content)
			}
			for range 2 {
				got, lost := readAll(t, dir, 1)
				same(t, got, want(1, first-1))
				if numbers, uncounted := unaccepted(lost); len(numbers) > 0 || uncounted != first {
					t.Errorf("%s: lost %v, want what follows %d", name, lost, first)
				}
				next, log := reopened(t, dir)
				if next < farAway || !strings.Contains(log, fmt.Sprintf("first=%d", first)) {
					t.Errorf("%s: next is %d and the worker said %q, want a far number and the loss", name, next, log)
				}
			}
			s := open(t, Config{Dir: dir})
			next := s.Next()
			appendAll(t, s, testRecords(next, 1))
			s.Close()
			got, lost := readAll(t, dir, 1)
			same(t, got, append(want(1, first-1), want(next, next)...))
			if _, uncounted := unaccepted(lost); len(lost) != 1 || uncounted != first {
				t.Errorf("%s: lost %v after an append, want what follows %d", name, lost, first)
			}
		}
	}
}

// While a worker writes, the note is not needed: readers follow the worker.
func TestDamagedNoteBesideAWorker(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 20_000})
	appendAll(t, s, testRecords(1, 2))
	rewrite(t, newestName(dir), nil)
	follow, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	same(t, readOn(t, follow), want(1, 2))
	for next := uint64(3); next < 60; next += 3 {
		appendAll(t, s, testRecords(next, 3))
		same(t, readOn(t, follow), want(next, next+2))
	}
	s.Close()
	if next, log := reopened(t, dir); next != 60 || log != "" {
		t.Errorf("next is %d and the worker said %q, want 60 and nothing", next, log)
	}
}

// earlier makes a sink one of an earlier version and returns what its identity was.
func earlier(t *testing.T, dir string) identity {
	t.Helper()
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, identityName(dir), []byte(identityHead1+id.id+"\n"))
	remove(t, newestName(dir))
	return id
}

// A sink of an earlier version keeps its identity and gains the note.
func TestSinkOfAnEarlierVersion(t *testing.T) {
	for _, segments := range []uint64{0, 2} {
		dir := segmented(t, segments)
		id := earlier(t, dir)
		before := snapshot(t, dir)
		if got, lost := readAll(t, dir, 1); uint64(len(got)) != 2*segments || len(lost) > 0 {
			t.Errorf("%d records, lost %v, want len(got) %d and nothing lost", len(got), lost, 2*segments)
		}
		if after := snapshot(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("got %v after reading, want the sink unchanged: %v", after, before)
		}
		if next, log := reopened(t, dir); next != 2*segments+1 || log != "" {
			t.Errorf("next is %d and the worker said %q, want %d and nothing", next, log, 2*segments+1)
		}
		if again, err := readIdentity(dir); err != nil || again != id {
			t.Errorf("identity %v, error %v, want %v", again, err, id)
		}
		if noted, err := readNewest(dir); err != nil || noted != max(2*segments, 1)-1 {
			t.Errorf("noted %d, error %v, want the newest segment of %d", noted, err, segments)
		}
	}
}

// A full disk keeps a worker from noting the newest segment: what comes then goes into
// another, which is noted.
func TestSegmentThatCannotBeNotedIsLeft(t *testing.T) {
	dir := ""
	if os.Getenv("ULOGKIT_DURABLE_TEST") == "" { // the child's first sync is the one that fails
		dir = segmented(t, 1)
		earlier(t, dir)
	}
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		s, err := Open(Config{Dir: dir})
		if err != nil {
			return err
		}
		return errors.Join(s.Append(context.Background(), testRecords(3, 1)), s.Close())
	}, "-e", "inject=fsync:error=ENOSPC:when=1")
	if all, err := listSegments(dir); failed || err != nil || !slices.Equal(all, []uint64{1, 3}) {
		t.Errorf("got segments %v, error %v, after %v (failed: %v), want 1 and 3", all, err, calls, failed)
	}
	if noted, err := readNewest(dir); err != nil || noted != 3 {
		t.Errorf("noted %d, error %v, want 3", noted, err)
	}
}

// A segment that got the name of another is not taken for an empty one and written over.
func TestRenamedSegment(t *testing.T) {
	for _, name := range []uint64{2, 4, 7} {
		dir := segmented(t, 2)
		before, err := os.ReadFile(segmentName(dir, 3))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(segmentName(dir, 3), segmentName(dir, name)); err != nil {
			t.Fatal(err)
		}
		remove(t, indexName(dir, 3))

		if _, lost := readAll(t, dir, 1); len(lost) == 0 && name < 7 {
			t.Errorf("renamed to %d: nothing lost, want a word", name)
		}
		s, err := Open(Config{Dir: dir})
		if err == nil {
			if next := s.Next(); next < 5 {
				t.Errorf("renamed to %d: next is %d, want none that was given", name, next)
			}
			appendAll(t, s, testRecords(1, 1))
			s.Close()
		} else if !strings.Contains(err.Error(), "does not fit its name") {
			t.Errorf("renamed to %d: error %v, want what is wrong with it", name, err)
		}
		if after, err := os.ReadFile(segmentName(dir, name)); err != nil || !bytes.Equal(after, before) {
			t.Errorf("renamed to %d: got a segment of %d bytes, error %v, want it unchanged", name, len(after), err)
		}
	}
}

// Where somebody has put a segment among others that has their numbers, what is not
// returned is told, and no number of it is given again.
func TestSegmentsWithTheSameNumbers(t *testing.T) {
	dir, other := t.TempDir(), segmented(t, 2)
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 5))
	s.Close()
	for _, name := range []func(string, uint64) string{segmentName, indexName} {
		b, err := os.ReadFile(name(other, 3))
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, name(dir, 3), b)
	}

	check := func(more ...ingest.Record) {
		t.Helper()
		got, lost := readAll(t, dir, 1)
		same(t, got, append(want(1, 4), more...))
		if numbers, _ := unaccepted(lost); !slices.Equal(numbers, spans{{3, 5}}) {
			t.Errorf("lost %v, want 3 to 5", lost)
		}
	}
	check()
	for range 2 {
		if next, log := reopened(t, dir); next != 6 || !strings.Contains(log, "first=3 last=5") {
			t.Errorf("next is %d and the worker said %q, want 6 and the loss of 3 to 5", next, log)
		}
	}
	s = open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(6, 1))
	s.Close()
	check(want(6, 6)...)
}

// A worker goes on where the accepted losses cannot be read, and tells all.
func TestDamagedAcceptedLosses(t *testing.T) {
	dir := torn(t, 1)
	_, lost := readAll(t, dir, 1)
	if err := AcceptLosses(dir, []ingest.LossError{*lost[0]}); err != nil {
		t.Fatal(err)
	}
	rewrite(t, acceptedName(dir), []byte("5 \x00"))
	if next, log := reopened(t, dir); next != 6 || !strings.Contains(log, "first=5 last=5") || !strings.Contains(log, "cannot be read") {
		t.Errorf("next is %d and the worker said %q, want 6 and the loss", next, log)
	}
	remove(t, acceptedName(dir))
	if _, lost = readAll(t, dir, 1); len(lost) != 1 || lost[0].Accepted {
		t.Errorf("lost %v, want one that is not accepted", lost)
	}
}

// A sink without its identity is one still, by its segments, an index or the note, and gets
// another identity; its losses and numbers stay.
func TestLostIdentity(t *testing.T) {
	dir := segmented(t, 1)
	id, err := readIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, identityName(dir), segmentName(dir, 1), indexName(dir, 1))
	if _, lost := readAll(t, dir, 1); len(lost) != 1 || !lost[0].Uncounted {
		t.Errorf("lost %v, want what follows 1", lost)
	}
	if next, _ := reopened(t, dir); next != 1+mostRecords {
		t.Errorf("next is %d, want %d", next, 1+mostRecords)
	}
	if again, err := readIdentity(dir); err != nil || again == id || !again.noted {
		t.Errorf("identity %v, error %v, want another than %v", again, err, id)
	}
}

// Whatever is left of a sink's last segment, its index and the note, reading ends, and
// opening comes to the same number each time.
func FuzzNote(f *testing.F) {
	f.Add(uint8(0), uint16(0), uint16(0), []byte(strings.Repeat(newestLine(3), 2)))
	f.Add(uint8(1), uint16(0), uint16(0), []byte(newestLine(3)))
	f.Add(uint8(3), uint16(9), uint16(9), []byte{})
	f.Fuzz(func(t *testing.T, gone uint8, seg, idx uint16, note []byte) {
		if len(note) > 2*lenNewestLine {
			return // no more to be found in it, and slow to make smaller
		}
		dir := durabletest.MemoryDir(t)
		s := open(t, Config{Dir: dir, SegmentBytes: 1})
		appendAll(t, s, shortRecords(2))
		appendAll(t, s, shortRecords(2))
		s.Close()
		os.Truncate(segmentName(dir, 3), int64(seg%300))
		os.Truncate(indexName(dir, 3), int64(idx%16))
		if gone&1 != 0 {
			os.Remove(segmentName(dir, 3))
		}
		if gone&2 != 0 {
			os.Remove(indexName(dir, 3))
		}
		if len(note) > 0 {
			rewrite(t, newestName(dir), note)
		}

		r, err := OpenReader(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for n := 0; ; n++ {
			_, err := r.Next(t.Context())
			loss := (*ingest.LossError)(nil)
			if err != nil && !errors.As(err, &loss) {
				break
			}
			if n > 100 {
				t.Fatalf("got %d records, want the reader to end", n)
			}
		}
		next := uint64(0)
		for range 2 {
			s, err := Open(Config{Dir: dir})
			if err != nil {
				return
			}
			if next != 0 && s.Next() != next {
				t.Fatalf("got next %d, want %d as before", s.Next(), next)
			}
			next = s.Next()
			s.Close()
		}
	})
}

// While a worker begins segments and removes others, no reader takes one that is just being
// made, noted or removed for a lost one.
func TestReadersBesideAWorkerTellNoLoss(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	follow, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()

	const count = 120
	done := make(chan error, 1)
	go func() {
		for n := range uint64(count) {
			err := s.Append(context.Background(), testRecords(n+1, 1))
			if err == nil && n%20 == 19 {
				err = s.Remove(n / 2)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for working := true; working; {
		select {
		case err := <-done:
			if working = false; err != nil {
				t.Fatal(err)
			}
		default:
		}
		// One that begins now, at the newest segment; the removed ones are behind it.
		e, err := (Source{dir}).Extent(t.Context())
		if err != nil || e.Uncounted {
			t.Fatalf("extent %+v, error %v, want nothing lost", e, err)
		}
		if _, lost := readAll(t, dir, max(e.Next, 2)-1); len(lost) > 0 {
			t.Fatalf("lost %v, want nothing", lost)
		}
	}

	// One that followed all the time may be told of what was removed before it came there.
	for next := uint64(1); next <= count; {
		rec, err := follow.Next(t.Context())
		loss := (*ingest.LossError)(nil)
		switch {
		case errors.As(err, &loss) && !loss.Uncounted && loss.First == next && loss.Last < count/2:
			next = loss.Last + 1
		case err != nil || rec.Sequence != next:
			t.Fatalf("record %d, error %v, want %d", rec.Sequence, err, next)
		default:
			next++
		}
	}
}
