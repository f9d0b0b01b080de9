package filesink

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Source reads a directory, which a worker may be writing to, and changes nothing
// in it. It implements ingest.Source.
type Source struct{ dir string }

// OpenSource checks that a directory holds a sink. It fails with ErrNoSink if it
// does not.
func OpenSource(dir string) (Source, error) {
	if _, err := readIdentity(dir); err != nil {
		return Source{}, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	return Source{dir}, nil
}

// Read implements ingest.Source.
func (s Source) Read(_ context.Context, from uint64) (ingest.Reader, error) {
	return OpenReader(s.dir, from)
}

// Extent implements ingest.Source. Records that a worker has written and not yet
// entered into the index do not count.
func (s Source) Extent(context.Context) (ingest.Extent, error) {
	e, err := extent(s.dir)
	if err != nil {
		return ingest.Extent{}, err
	}

	r, err := OpenReader(s.dir, e.Next)
	if err != nil {
		return ingest.Extent{}, err
	}
	defer r.Close()
	if err := r.toEnd(); err != nil {
		return ingest.Extent{}, err
	}
	e.Uncounted = e.Uncounted || r.next-e.Next >= mostRecords
	e.Next = r.next
	return e, nil
}

// extent returns what the names of a directory's files say; Next is the first record
// of the newest segment.
func extent(dir string) (e ingest.Extent, err error) {
	e = ingest.Extent{Name: "file sink " + dir, First: 1, Next: 1}
	id, err := readIdentity(dir)
	if err != nil {
		return e, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	e.ID = id.id
	l, err := survey(dir, id)
	if err != nil {
		return e, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	if len(l.all) > 0 {
		e.First, e.Next = l.all[0], l.last()
	}
	e.Uncounted = l.beyond != 0 && !l.blind
	for i := 1; i < len(l.all); i++ {
		e.Uncounted = e.Uncounted || l.all[i]-l.all[i-1] >= mostRecords
	}
	return e, nil
}

// toEnd goes behind the last record of the newest segment without reading them.
func (r *Reader) toEnd() error {
	for {
		if r.seg == nil {
			err := r.open()
			loss := (*ingest.LossError)(nil)
			switch {
			case errors.Is(err, ingest.ErrEnd):
				return nil
			case errors.As(err, &loss):
				continue // next is behind it
			case err != nil:
				return err
			case r.seg == nil:
				continue // the directory was changing
			}
		}

		known, err := r.find()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read file sink: %w", err)
		}
		if !known {
			if err := r.newer(); errors.Is(err, ingest.ErrEnd) {
				return nil
			} else if err != nil {
				return err
			}
			r.next = r.end
			r.leave()
			continue
		}

		r.next = r.first + uint64(len(r.entries))
	}
}
