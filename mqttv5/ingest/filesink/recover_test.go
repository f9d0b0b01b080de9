package filesink

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// newest returns the only segment's contents and the place of each record.
func newest(t testing.TB, dir string) (content []byte, places []entry) {
	t.Helper()
	content, err := os.ReadFile(segmentName(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	places, err = readIndex(indexName(dir, 1), 0)
	if err != nil {
		t.Fatal(err)
	}
	return content, places
}

func rewrite(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A crash can leave any prefix of what was being written. The index never has an
// entry for it.
func TestTornTailLosesOnlyWhatWasHalfWritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 6))
	s.Close()
	content, places := newest(t, dir)
	index, err := os.ReadFile(indexName(dir, 1))
	if err != nil {
		t.Fatal(err)
	}

	whole := 3 // records that were durable
	from := int(places[whole].offset)
	for cut := from; cut < len(content); cut += 1 + (cut-from)/7 {
		rewrite(t, segmentName(dir, 1), content[:cut])
		rewrite(t, indexName(dir, 1), index[:whole*indexEntry])
		s := open(t, Config{Dir: dir})

		// What was written whole counts, durable or not: nobody else can have it.
		n := uint64(0)
		for _, e := range places {
			if int(e.offset+e.length) <= cut {
				n++
			}
		}

		if s.Next() != n+1 {
			t.Fatalf("cut at %d: next is %d, want %d", cut, s.Next(), n+1)
		}
		appendAll(t, s, testRecords(n+1, 2))
		s.Close()
		got, lost := readAll(t, dir, 1)
		if len(lost) > 0 {
			t.Fatalf("cut at %d: %v, want nothing lost", cut, lost)
		}

		same(t, got, want(1, n+2))
	}
}

// A crash at the very beginning of a segment leaves less than its head.
func TestTornHeadIsWrittenAnew(t *testing.T) {
	for size := range segmentHead {
		dir := t.TempDir()
		s := open(t, Config{Dir: dir, SegmentBytes: 1})
		appendAll(t, s, testRecords(1, 1))
		s.Close()
		rewrite(t, segmentName(dir, 2), make([]byte, size))
		s = open(t, Config{Dir: dir, SegmentBytes: 1})
		if got, lost := readAll(t, dir, 1); len(got) != 1 || len(lost) > 0 {
			t.Fatalf("%d records, lost %v, want len(got) 1 and nothing lost", len(got), lost)
		}
		appendAll(t, s, testRecords(2, 2))
		got, lost := readAll(t, dir, 1)
		if len(lost) > 0 {
			t.Fatalf("got losses %v, want none", lost)
		}
		same(t, got, want(1, 3))
	}
}

// Whatever byte of a segment or index is flipped, at most the record it belongs to
// is lost, the reader says so, and what is appended afterwards is kept.
func TestFlippedByteLosesAtMostItsRecord(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 5))
	s.Close()
	content, places := newest(t, dir)
	index, err := os.ReadFile(indexName(dir, 1))
	if err != nil {
		t.Fatal(err)
	}

	restore := func() {
		rewrite(t, segmentName(dir, 1), content)
		rewrite(t, indexName(dir, 1), index)
		os.Remove(segmentName(dir, 6))
		os.Remove(indexName(dir, 6))
		if err := writeNewest(dir, 1); err != nil {
			t.Fatal(err)
		}
	}

	check := func(what string, at int, victim uint64) {
		t.Helper()
		for _, reopened := range []bool{false, true} {
			if reopened {
				s := open(t, Config{Dir: dir})
				if s.Next() != 6 {
					t.Fatalf("%s byte %d: next is %d, want 6", what, at, s.Next())
				}
				appendAll(t, s, testRecords(6, 1))
				s.Close()
			}

			got, lost := readAll(t, dir, 1)
			last := uint64(5)
			if reopened {
				last = 6
			}
			expected := want(1, last)
			if victim > 0 {
				expected = append(expected[:victim-1], expected[victim:]...)
				if len(lost) != 1 || lost[0].First != victim || lost[0].Last != victim || !errors.Is(lost[0], errDamaged) {
					t.Fatalf("%s byte %d, reopened %v: lost %v, want record %d", what, at, reopened, lost, victim)
				}
			} else if len(lost) > 0 {
				t.Fatalf("%s byte %d, reopened %v: got %v lost, want nothing", what, at, reopened, lost)
			}

			same(t, got, expected)
		}
	}

	for i, e := range places {
		for at := int(e.offset); at < int(e.offset+e.length); at += 1 + (at-int(e.offset))/9 {
			restore()
			bad := append([]byte(nil), content...)
			bad[at] ^= 0x10
			rewrite(t, segmentName(dir, 1), bad)
			check("segment", at, uint64(i+1))
		}
	}

	for at := range index {
		restore()
		bad := append([]byte(nil), index...)
		bad[at] ^= 0x10
		rewrite(t, indexName(dir, 1), bad)
		check("index", at, 0)
	}

	restore()
	if err := os.Remove(indexName(dir, 1)); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir}).Close()
	check("no index", 0, 0)
}

// An index that is right is left alone, and one that ends within an entry is made
// anew, or what follows would be shifted.
func TestIndexIsMadeOnlyIfNeeded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 3))
	s.Close()
	name := indexName(dir, 1)
	if err := os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}

	open(t, Config{Dir: dir}).Close()
	if info, err := os.Stat(name); err != nil || !info.ModTime().Equal(time.Unix(1, 0)) {
		t.Errorf("got index %+v, error %v, want it as it was at %v", info, err, time.Unix(1, 0))
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	rewrite(t, name, append(content, 1, 2, 3))
	s = open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(4, 2))
	got, lost := readAll(t, dir, 1)
	if len(lost) > 0 {
		t.Fatalf("got losses %v, want none", lost)
	}

	same(t, got, want(1, 5))
}

// What a payload holds is never taken for a record.
func TestPayloadIsNeverTakenForARecord(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 3))
	content, _ := newest(t, dir)
	other := testRecord(4)
	other.Payload = content // of another time: the marker that counts is the segment's
	s.Close()
	dir = t.TempDir()
	s = open(t, Config{Dir: dir})
	appendAll(t, s, []ingest.Record{other, testRecord(2)})
	s.Close()
	content, places := newest(t, dir)
	content[places[0].offset+9] ^= 1
	rewrite(t, segmentName(dir, 1), content)
	open(t, Config{Dir: dir}).Close()
	got, lost := readAll(t, dir, 1)
	if len(lost) != 1 {
		t.Fatalf("got losses %v, want one", lost)
	}
	same(t, got, want(2, 2))
}

// Whatever a segment holds, scanning finds good records in order, and the same ones
// again when what follows the last one has been cut off.
func FuzzScan(f *testing.F) {
	m := marker{'m', 'a', 'r', 'k', 'e', 'r', 0, 1} // so that the fuzzer has it
	seg := append([]byte(segmentMagic), m[:]...)
	for i, r := range shortRecords(3) {
		seg = appendRecord(seg, m, uint64(i+1), &r)
	}
	f.Add(seg)
	f.Add(seg[:len(seg)-3])
	f.Add(append(append([]byte(nil), seg[:segmentHead]...), seg[segmentHead+1:]...))
	f.Add([]byte(segmentMagic))

	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4<<10 {
			return // no more to be found in it, and slow to make smaller
		}
		found, err := scan(bytes.NewReader(b), m, 1)
		if err != nil {
			t.Fatal(err)
		}

		last := uint32(segmentHead)
		for i, e := range found.entries {
			if e.length == 0 {
				continue
			}
			if e.offset < last || int64(e.offset)+int64(e.length) > found.end || found.end > int64(len(b)) {
				t.Fatalf("record %d: got %d bytes at %d, the end at %d of %d, want it behind %d and before the end",
					i+1, e.length, e.offset, found.end, len(b), last)
			}
			last = e.offset + e.length
			if _, err := parseRecord(b[e.offset:last], m, uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}

		if len(found.entries) == 0 || found.other != 0 {
			return // no worker cuts where a number does not fit
		}
		again, err := scan(bytes.NewReader(b[:found.end]), m, 1)
		if err != nil || !reflect.DeepEqual(again, found) {
			t.Fatalf("after cutting the rest off: got %+v, error %v, want %+v", again, err, found)
		}
	})
}
