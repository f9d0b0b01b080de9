package outbox

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"
)

// disk is a file for a committer that takes so many changes in one transaction.
type disk struct {
	*committer

	lock    sync.Mutex // guards the rest
	fits    int        // changes in one transaction
	yields  int        // how much room can be given up
	tried   int
	written []string
	tx      []string
	said    []string
}

var errFull = errors.New("disk is full")

func newDisk(fits int) *disk {
	d := &disk{fits: fits}
	d.committer = &committer{
		update: func(f func(*bolt.Tx) error) error {
			d.lock.Lock()
			defer d.lock.Unlock()
			d.tx = nil
			if err := f(nil); err != nil {
				return err
			}
			d.tried++
			if len(d.tx) > d.fits {
				return errFull
			}
			d.written = append(d.written, d.tx...)
			return nil
		},
		after: func(*bolt.Tx, []*change) error { return nil },
		yield: func(*bolt.Tx) error {
			if d.yields == 0 { // update holds lock
				return errors.New("no room is kept")
			}
			d.yields--
			d.fits++
			return nil
		},
		unwritten: func(n int, err error) { d.say(fmt.Sprintf("%d: %v", n, err)) },
		wake:      make(chan struct{}, 1), idle: make(chan struct{}),
	}

	return d
}

func (d *disk) say(s string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.said = append(d.said, s)
}

// queue adds a change before the committer runs: a record is "r", a request "q", and
// what is kept "k", with a number.
func (d *disk) queue(name string) {
	x := &change{apply: func(*bolt.Tx) error { d.tx = append(d.tx, name); return nil }}
	if name[0] != 'k' {
		x.done = func(err error) { d.say(fmt.Sprintf("%s: %v", name, err)) }
	}
	if name[0] == 'r' {
		x.size = 1
	}
	d.add(x)
}

func TestCommitterOnFullDiskRefusesRecordsAlone(t *testing.T) {
	for _, c := range []struct {
		name          string
		fits, yields  int
		queued        []string
		written, said []string
		lost          bool
	}{
		{name: "all fit", fits: 9, queued: []string{"r1", "k1", "q1"}, written: []string{"k1", "q1", "r1"}, said: []string{"q1: <nil>", "r1: <nil>"}},
		{name: "the record does not", fits: 2, queued: []string{"r1", "k1", "r2", "r3", "k2"}, written: []string{"k1", "k2"}, said: []string{"r1: disk is full", "r2: disk is full", "r3: disk is full"}},
		{name: "the record does alone", fits: 1, queued: []string{"r1", "k1"}, written: []string{"k1", "r1"}, said: []string{"r1: <nil>"}},
		{name: "in pieces", fits: 2, queued: []string{"k1", "k2", "q1", "k3", "k4", "r1"}, written: []string{"k1", "k2", "q1", "k3", "k4", "r1"}, said: []string{"q1: <nil>", "r1: <nil>"}},
		{name: "kept room", fits: 0, yields: 1, queued: []string{"k1", "k2"}, written: []string{"k1", "k2"}},
		{name: "nothing", fits: 0, queued: []string{"r1", "q1", "k1"}, said: []string{"r1: disk is full", "q1: disk is full", "1: disk is full"}, lost: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(c.fits)
			d.yields = c.yields
			for _, name := range c.queued {
				d.queue(name)
			}
			go d.run()
			if err := d.close(); c.lost != errors.Is(err, errFull) {
				t.Errorf("got %v from close, want %v in it: %v", err, errFull, c.lost)
			}
			if !slices.Equal(d.written, c.written) || !slices.Equal(d.said, c.said) {
				t.Errorf("got %q written and %q said, want %q and %q", d.written, d.said, c.written, c.said)
			}
		})
	}
}

// What is kept is tried again although nothing else comes, and nothing overtakes it.
func TestCommitterTriesAgainWhatItKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(0)
		go d.run()
		d.queue("k1")
		synctest.Wait()
		d.queue("k2")
		d.queue("r1")

		// rest lets time pass and looks when all is quiet.
		rest := func(wait time.Duration, look func()) {
			time.Sleep(wait)
			synctest.Wait()
			d.lock.Lock()
			defer d.lock.Unlock()
			look()
		}

		tried := 0
		rest(0, func() {
			if len(d.written) > 0 || !slices.Equal(d.said, []string{"1: disk is full", "r1: disk is full"}) {
				t.Errorf("on a full disk: got %q written and %q said, want nothing written and k1 and r1 told of the full disk", d.written, d.said)
			}
			tried = d.tried
		})

		rest(time.Minute, func() {
			if n := d.tried - tried; n < 30 || n > 300 {
				t.Errorf("got %d tries in a minute, want 30 to 300", n)
			}
			d.fits = 2
		})

		rest(2*keptDelay, func() {
			if !slices.Equal(d.written, []string{"k1", "k2"}) || d.said[len(d.said)-1] != "0: <nil>" {
				t.Errorf("with room: got %q written and %q said, want k1 and k2 written and \"0: <nil>\" said last", d.written, d.said)
			}
			tried = d.tried
		})

		rest(time.Minute, func() {
			if d.tried != tried {
				t.Errorf("got %d more tries though nothing is to be written, want none", d.tried-tried)
			}
		})

		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
}
