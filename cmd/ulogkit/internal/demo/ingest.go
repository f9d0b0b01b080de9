package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// numWorkers is the number of ingest workers that share the demonstration's work.
const numWorkers = 2

// poll is how often the files are looked at, which nobody tells of a change.
const poll = 10 * time.Millisecond

// workers are ingest workers on one file sink.
type workers struct {
	dir    string
	sink   *filesink.Sink
	stop   context.CancelFunc
	group  *errgroup.Group
	worker []*ingest.Worker
}

// startWorkers starts workers that take what is uploaded to a broker into files,
// and waits until they are connected.
func startWorkers(ctx context.Context, connection mqttv5.Config) (_ *workers, err error) {
	dir, err := os.MkdirTemp("", "ulogkit-demo-")
	if err != nil {
		return nil, err
	}
	w := &workers{dir: dir, stop: func() {}, group: &errgroup.Group{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.sink, err = filesink.Open(filesink.Config{Dir: filepath.Join(dir, "sink")}); err != nil {
		return nil, err
	}

	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	for i := range numWorkers {
		worker, err := ingest.New(ingest.Config{
			Connection: connection, Group: "demo", Name: fmt.Sprint(i + 1), Sink: w.sink,
			ReceiveMaximum: 1024, // the embedded broker stalls at its end
		})
		if err != nil {
			return nil, err
		}
		w.worker = append(w.worker, worker)
		w.group.Go(func() error { return worker.Run(run) })
	}

	return w, wait(ctx, func() (bool, error) {
		for _, worker := range w.worker {
			if h := worker.Health(); !h.Connected {
				if h.Broker != "" {
					return false, errors.New(h.Broker)
				}
				return false, nil
			}
		}
		return true, nil
	})
}

// stored waits until the files hold n different messages and returns them.
func (w *workers) stored(ctx context.Context, n int) (all []ingest.Record, err error) {
	files, err := w.sink.Read(ctx, 0)
	if err != nil {
		return nil, err
	}
	r := ingest.Deduplicate(files, 0)
	defer r.Close()
	return all, wait(ctx, func() (bool, error) {
		for len(all) < n {
			rec, err := r.Next(ctx)
			if errors.Is(err, ingest.ErrEnd) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			all = append(all, rec)
		}
		return true, nil
	})
}

// close ends the workers and removes the files.
func (w *workers) close() error {
	w.stop()
	err := w.group.Wait()
	if w.sink != nil {
		err = errors.Join(err, w.sink.Close())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// wait waits until done reports true or an error.
func wait(ctx context.Context, done func() (bool, error)) error {
	t := time.NewTicker(poll)
	defer t.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// compareStored checks that the files hold each upload exactly once, byte for
// byte, and nothing else.
func (r *Result) compareStored(uploads [][]upload) error {
	held := map[[sha256.Size]byte]int{}
	for _, rec := range r.Stored {
		held[sha256.Sum256(rec.Payload)]++
	}
	for _, device := range uploads {
		for _, u := range device {
			if held[u.sum]--; held[u.sum] < 0 {
				return fmt.Errorf("what the workers stored %w, the first is %s", ErrLost, u.what)
			}
		}
	}
	for sum, n := range held {
		if n > 0 {
			return fmt.Errorf("what the workers stored %w: message %x... was never uploaded or is there twice", ErrLost, sum[:8])
		}
	}
	return nil
}
