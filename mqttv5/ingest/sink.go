package ingest

import (
	"context"
	"errors"
	"strconv"
)

// Sink stores records durably. It must be safe for concurrent use: workers of
// one process may share it.
type Sink interface {
	// Append stores the records in this order. It returns nil only when all of
	// them would survive the loss of power, as far as its storage promises. After
	// an error some may have been stored, and the worker calls again with the same
	// records. A *[TooLargeError] names one that can never be stored; the worker puts
	// it into quarantine and calls again with the others. It must not keep a Payload.
	Append(ctx context.Context, records []Record) error
}

// TooLargeError means that a sink can never store a record: it is larger than what the
// storage takes.
type TooLargeError struct {
	Index int   // of the record among those that Append was given
	Err   error // the storage's own words
}

// Error implements error.
func (e *TooLargeError) Error() string { return "record is too large for the sink: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TooLargeError) Unwrap() error { return e.Err }

// Reader replays what a sink holds, in order.
type Reader interface {
	// Next returns the next record. It returns [ErrEnd] when there is none yet,
	// and may be called again then. A *[LossError] tells that records are
	// missing; the call after it goes on behind them.
	Next(ctx context.Context) (Record, error)

	// Close gives back what the reader holds.
	Close() error
}

// Source is a sink that can be replayed.
type Source interface {
	// Read returns a Reader that starts at the record with this sequence number,
	// or at the first one after it that still exists. 0 and 1 mean the first.
	Read(ctx context.Context, from uint64) (Reader, error)

	// Extent returns which sink this is and what it holds now.
	Extent(ctx context.Context) (Extent, error)
}

// Extent says which sink a Source reads, and what it holds. A place in a sink is its
// ID and a sequence number: the number alone would fit any other sink as well.
type Extent struct {
	ID    string // made with the sink; empty for one that was made before there were identities
	Name  string // of the sink, for people
	First uint64 // sequence number of the first record that still exists, or Next
	Next  uint64 // sequence number that the next record will get

	// Uncounted says that records are lost between them and how many is not known: there
	// may be far less than the numbers.
	Uncounted bool
}

// ErrEnd means that a Reader has returned all records there are so far.
var ErrEnd = errors.New("no more records yet")

// LossError tells of records that a sink cannot return.
type LossError struct {
	First, Last uint64 // sequence numbers of what is missing
	Err         error  // why
	Accepted    bool   // a person has said that it was seen
	Uncounted   bool   // how many of these numbers were given to records is not known
}

// Error implements error.
func (e *LossError) Error() string {
	if e.Uncounted {
		return "records from " + itoa(e.First) + " on are lost, how many is not known (their numbers are below " + itoa(e.Last+1) + "): " + e.Err.Error()
	}
	return "records " + itoa(e.First) + " to " + itoa(e.Last) + " are lost: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *LossError) Unwrap() error { return e.Err }

// Deduplicate returns a Reader of r without the copies of a message among the
// last window messages; 0 means 65,536.
func Deduplicate(r Reader, window int) Reader {
	if window <= 0 {
		window = defaultWindow
	}
	return &uniqueReader{Reader: r, seen: newRecent(window, 0)}
}

type uniqueReader struct {
	Reader
	seen *recent
}

// Next implements Reader.
func (u *uniqueReader) Next(ctx context.Context) (Record, error) {
	for {
		r, err := u.Reader.Next(ctx)
		if err != nil || u.seen.add(r.Key, r.Time) {
			return r, err
		}
	}
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
