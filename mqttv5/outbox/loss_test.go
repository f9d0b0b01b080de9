package outbox

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox/internal/boltfile"
)

// The fault list, F44: an outbox is damaged and records are gone. It is told again
// and again, with a count that is true, until a person has accepted it.

// ruin takes the structure of an outbox's file and the records of these texts.
func ruin(t *testing.T, dir, letters string) {
	t.Helper()
	b, err := os.ReadFile(fileName(dir))
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:8192])
	for _, letter := range []byte(letters) {
		text := bytes.Repeat([]byte{letter}, 700)
		if !bytes.Contains(b, text) {
			t.Fatalf("got no record of %c in the file, want one to ruin", letter)
		}
		b = bytes.ReplaceAll(b, text, make([]byte, len(text)))
	}
	if err := os.WriteFile(fileName(dir), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func oneLoss(t *testing.T, dir string) Loss {
	t.Helper()
	losses, err := Losses(dir)
	if err != nil || len(losses) != 1 {
		t.Fatalf("got losses %+v, error %v, want one loss", losses, err)
	}
	return losses[0]
}

func TestF44LossIsCounted(t *testing.T) {
	dir, _ := fillOutbox(t, 5)
	ruin(t, dir, "bd")
	o := openOutbox(t, dir)
	if s := o.Stats(); s.Waiting != 3 || s.Accepted != 3 {
		t.Errorf("got stats %+v, want 3 waiting and 3 accepted", s)
	}
	l := oneLoss(t, dir)
	if n, known := l.Lost(); n != 2 || !known || l.Held != 5 || l.Restored != 3 || l.Accepted {
		t.Errorf("got loss %+v, lost %d, known %v, want 5 held, 3 restored, 2 lost, known, and not accepted", l, n, known)
	}

	// It stays, and is accepted while the outbox is open.
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	if again := oneLoss(t, dir); again != l {
		t.Errorf("got loss %+v after reopening, want %+v", again, l)
	}
	if err := AcceptLosses(dir, []Loss{l}); err != nil {
		t.Fatal(err)
	}
	if !oneLoss(t, dir).Accepted {
		t.Error("got a loss that is not accepted, want it accepted")
	}
}

// A second loss is counted from what the first one left, and is told though the
// first was accepted.
func TestF44SecondLoss(t *testing.T) {
	dir, _ := fillOutbox(t, 5)
	ruin(t, dir, "bd")
	o := openOutbox(t, dir)
	submitText(t, o, 1, "the state is written with the next commit")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := AcceptLosses(dir, []Loss{oneLoss(t, dir)}); err != nil {
		t.Fatal(err)
	}
	ruin(t, dir, "a")
	openOutbox(t, dir).Close()

	losses, err := Losses(dir)
	if err != nil || len(losses) != 2 || !losses[0].Accepted || losses[1].Accepted {
		t.Fatalf("got losses %+v, error %v, want two, of which the first is accepted and the second is not", losses, err)
	}
	if l := losses[1]; l.Held != 4 || l.Restored != 3 {
		t.Errorf("got second loss %+v, want 4 held and 3 restored", l)
	}
}

func TestF44NothingLost(t *testing.T) {
	dir, _ := fillOutbox(t, 5)
	ruin(t, dir, "")
	openOutbox(t, dir).Close()
	if l := oneLoss(t, dir); !l.None() || l.Restored != 5 {
		t.Errorf("got loss %+v, want nothing lost and 5 restored", l)
	}
}

// Records that were delivered may be brought over once more, so that a count that
// fits proves nothing.
func TestF44UnknownAfterDeliveries(t *testing.T) {
	for _, l := range []Loss{
		{},
		{Counted: true, Held: 5, Restored: 5},
		{Counted: true, Held: 5, Restored: 6, Exact: true},
	} {
		if n, known := l.Lost(); known || n != 0 || l.None() {
			t.Errorf("%+v: got %d lost, known %v, None %v, want 0 lost, not known, None false", l, n, known, l.None())
		}
	}
}

// The case damaged-outbox-exit-0: nothing of the file is left, not even a count.
func TestF44Unknown(t *testing.T) {
	dir, _ := fillOutbox(t, 5)
	if err := os.WriteFile(fileName(dir), bytes.Repeat([]byte{0xA5}, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
	if l := oneLoss(t, dir); l.Counted || l.None() || l.Restored != 0 {
		t.Errorf("got loss %+v, None %v, want no count, 0 restored and None false", l, l.None())
	}

	// Nor is it forgotten when what was noted is gone, as after a crash before that.
	if err := os.Remove(lossName(dir)); err != nil {
		t.Fatal(err)
	}
	if l := oneLoss(t, dir); l.Counted || l.None() {
		t.Errorf("got loss %+v, None %v, want no count and None false", l, l.None())
	}
}

// A file that storage cut to nothing or lost is no new outbox, whoever looks first.
func TestF44FileGone(t *testing.T) {
	for name, take := range map[string]func(file string) error{
		"cut to nothing": func(file string) error { return os.Truncate(file, 0) },
		"gone":           os.Remove,
	} {
		dir, _ := fillOutbox(t, 5)
		if err := take(fileName(dir)); err != nil {
			t.Fatal(err)
		}
		if _, err := List(dir); !IsDamaged(err) {
			t.Errorf("%s: the list says %v, want damage", name, err)
		}
		o, err := OpenExisting(Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		id := submitText(t, o, 1, "it goes on")
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		l := oneLoss(t, dir)
		if l.Counted || l.None() || l.Restored != 0 {
			t.Errorf("%s: got %+v, want a loss of an unknown count", name, l)
		}
		if info, err := os.Stat(filepath.Join(dir, l.Kept)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got a file set aside of mode %v, %v, want 0600", name, info.Mode(), err)
		}
		if all, err := List(dir); err != nil || len(all) != 1 || all[0].ID != id {
			t.Errorf("%s: got %v, %v, want the record that came since", name, all, err)
		}
		openOutbox(t, dir).Close()
		oneLoss(t, dir) // no second one
	}

	// What was killed before its first file was whole is new.
	dir := t.TempDir()
	if err := os.WriteFile(fileName(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
	if losses, err := Losses(dir); err != nil || len(losses) != 0 {
		t.Errorf("got %v, %v, want no loss", losses, err)
	}
}

// Notes that cannot be read are an error, not silence.
func TestF44DamagedNotes(t *testing.T) {
	dir, _ := fillOutbox(t, 1)
	if err := os.WriteFile(lossName(dir), []byte("{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Losses(dir); err == nil {
		t.Error("got no error of damaged notes, want one")
	}
}

// FuzzOutboxFile opens a good file, or bare records, with any bytes changed and cut to
// any length, as the file of an outbox. Records whose checksum is right survive. The
// inputs are numbers, which Go does not try to make smaller: each try opens a file.
func FuzzOutboxFile(f *testing.F) {
	record := func(seq uint64) []byte {
		r := record{Record: Record{Kind: Log, Payload: []byte("payload")}, seq: seq, outbox: 7}
		return r.encode()
	}
	name := filepath.Join(f.TempDir(), "good.db")
	if _, err := boltfile.Build(name, bucketRecords, func(put func(k, v []byte) error) error {
		for seq := range uint64(3) {
			if err := put(seqKey(seq+1), record(seq+1)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	held := state{accepted: 3, last: 3}
	bare := append(append(append([]byte("state"), held.encode(0)...), record(1)...), record(2)...)
	f.Add(false, uint16(0), uint64(0), uint16(0), uint64(0), uint16(0))
	f.Add(false, uint16(16), uint64(1), uint16(4096+16), uint64(2), uint16(0))
	f.Add(false, uint16(16), uint64(1), uint16(0), uint64(0), uint16(100))
	f.Add(true, uint16(0), uint64(0), uint16(60), uint64(1), uint16(0))

	f.Fuzz(func(t *testing.T, raw bool, at uint16, put uint64, at2 uint16, put2 uint64, cut uint16) {
		b := bytes.Clone(good)
		if raw {
			b = bytes.Clone(bare)
		}
		for _, e := range [...]struct {
			at  uint16
			put uint64
		}{{at, put}, {at2, put2}} {
			for i := range 8 {
				b[(int(e.at)+i)%len(b)] ^= byte(e.put >> (8 * i))
			}
		}
		b = b[:len(b)-int(cut)%len(b)]
		dir := durabletest.MemoryDir(t)
		if err := os.WriteFile(fileName(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := Open(Config{Dir: dir})
		if err != nil {
			t.Fatalf("got %v from Open, want it to open whatever is in the file", err)
		}
		defer o.Close()
		whole := map[string]bool{}
		for r, err := range o.Records() {
			if err != nil {
				t.Fatal(err)
			}
			whole[r.ID] = r.State != StateDamaged
		}
		losses, err := Losses(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(losses) == 0 {
			return // the structure is whole: what it does not hold was not in it
		}
		bySeq := map[uint64]string{} // one number is one record, the last
		if err := carve(bytes.NewReader(b), func(v []byte) error {
			r, err := decodeRecord(v)
			if err == nil {
				bySeq[r.seq] = r.id()
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, id := range bySeq {
			if !whole[id] {
				t.Errorf("got no record %s, want it, since it was whole in the file", id)
			}
		}
	})
}
