package outbox

import (
	"errors"
	"slices"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// stateOf tells where the only record of the outbox is.
func stateOf(o *Outbox) State {
	switch s := o.Stats(); {
	case s.InFlight > 0:
		return StateInFlight
	case s.Waiting > 0:
		return StateWaiting
	case s.Parked > 0:
		return StateParked
	case s.Damaged > 0:
		return StateDamaged
	case s.Dropped > 0:
		return StateDropped
	case s.Delivered > 0:
		return StateDelivered
	}
	return StateOffered
}

// corrupt changes a byte of every record on disk.
func corrupt(t *testing.T, o *Outbox) {
	t.Helper()

	err := o.file.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketRecords)
		changed := map[string][]byte{}
		if err := b.ForEach(func(k, v []byte) error {
			v = slices.Clone(v)
			v[len(v)-1] ^= 1
			changed[string(k)] = v
			return nil
		}); err != nil {
			return err
		}
		for k, v := range changed {
			if err := b.Put([]byte(k), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each thing that can be done to a record is done in each state that a record can be
// in, to a real outbox: it goes where the table says, and stays where that says nothing.
func TestRecordsTakeTheStepsOfTheTableAlone(t *testing.T) {
	type world struct {
		dir string
		o   *Outbox
		id  string
		l   *Lease
	}
	settle := func(t *testing.T, w *world, to State) {
		t.Helper()
		if to == StateOffered {
			return
		}
		w.id = submitText(t, w.o, 1, "x")
		switch to {
		case StateInFlight, StateParked, StateDelivered:
			w.l = lease(t, w.o)
		}
		switch to {
		case StateParked:
			w.l.Park(errors.New("refused"))
		case StateDelivered:
			w.l.Done()
		case StateDamaged:
			corrupt(t, w.o)
			none(t, w.o)
		case StateDropped:
			if err := w.o.Drop(w.id); err != nil {
				t.Fatal(err)
			}
		}
	}
	actions := map[string]func(t *testing.T, w *world){
		"Submit": func(t *testing.T, w *world) {
			if w.id == "" {
				w.id = submitText(t, w.o, 1, "x")
			}
		},
		"Lease": func(t *testing.T, w *world) {
			if l, err := w.o.TryLease(); err != nil {
				t.Fatal(err)
			} else if l != nil {
				w.l = l
			}
		},
		"Done":  func(_ *testing.T, w *world) { w.l.Done() },
		"Again": func(_ *testing.T, w *world) { w.l.Again(0) },
		"Hold":  func(_ *testing.T, w *world) { w.l.Hold() },
		"Park":  func(_ *testing.T, w *world) { w.l.Park(errors.New("refused")) },
		"Retry": func(_ *testing.T, w *world) { _ = w.o.Retry(w.id) }, // refused where it has no step
		"Drop":  func(_ *testing.T, w *world) { _ = w.o.Drop(w.id) },
		// Leases are nowhere on disk, so that a crash is the same as to open it again;
		// TestF18Kill kills real processes.
		"crash": func(t *testing.T, w *world) {
			if w.l != nil {
				w.l.Again(0)
			}
			if err := w.o.Close(); err != nil {
				t.Fatal(err)
			}
			w.o = openOutbox(t, w.dir)
		},
		"wrong CRC": func(t *testing.T, w *world) {
			corrupt(t, w.o)
			if l, err := w.o.TryLease(); err != nil || l != nil {
				t.Fatalf("got %v, %v, want no lease of what is damaged", l, err)
			}
		},
		"DropLowest": func(t *testing.T, w *world) {
			if err := w.o.Close(); err != nil {
				t.Fatal(err)
			}
			o, err := Open(Config{Dir: w.dir, MaxBytes: 400, DropLowest: true})
			if err != nil {
				t.Fatal(err)
			}
			w.o = o
			for w.o.Stats().Dropped == 0 {
				if l, err := w.o.TryLease(); err == nil && l != nil {
					l.Again(0)
				}
				submitText(t, w.o, 1, "a text that takes the room of the other")
			}
			// Only the first is looked at; the others go.
			for w.o.Stats().Waiting > 0 {
				lease(t, w.o).Done()
			}
		},
	}

	states := []State{StateOffered, StateWaiting, StateInFlight, StateParked, StateDamaged, StateDelivered, StateDropped}
	taken := map[Step]bool{}
	for _, from := range states {
		for by, do := range actions {
			onLease := slices.Contains([]string{"Done", "Again", "Hold", "Park"}, by)
			leased := slices.Contains([]State{StateInFlight, StateParked, StateDelivered}, from)
			switch {
			case onLease && !leased:
				continue // there is no Lease to call it on
			case by == "wrong CRC" && from != StateWaiting, by == "DropLowest" && from != StateWaiting:
				continue // bytes are looked at when they are leased; room is made of what waits
			}
			w := &world{dir: t.TempDir()}
			w.o = openOutbox(t, w.dir)
			settle(t, w, from)
			if got := stateOf(w.o); got != from {
				t.Fatalf("got a record that is %s, want %s", got, from)
			}
			do(t, w)
			want := from
			for _, s := range steps {
				if s.From == from && s.By == by {
					want = s.To
					taken[s] = true
				}
			}
			if got := stateOf(w.o); got != want {
				t.Errorf("%s, %s: it is %s, want %s", from, by, got, want)
			}
			if w.l != nil && !w.l.ended {
				w.l.Again(0)
			}
			if err := w.o.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, s := range steps {
		if !taken[s] {
			t.Errorf("got nothing that takes the step %+v, want each taken", s)
		}
	}
}
