package boltfile

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// ErrBusy says that a file was written faster than it could be read.
var ErrBusy = errors.New("it is written faster than it can be read; try again")

// How often Read begins anew when the file was changed under it, and how long it
// rests in between.
const (
	maxReads = 200
	readRest = 5 * time.Millisecond
)

// Read tells visit of each value in a file that another process may be writing: all
// as of one commit. It takes no lock. When the file was changed meanwhile it begins
// anew, and calls begin first, as it does the first time.
//
// bbolt writes a commit into pages that neither this one nor the one before uses, and
// the meta page last. So what was read is of one commit if that was still the last
// one afterwards.
func Read(name string, begin func(), visit func(bucket, key, value []byte)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for range maxReads {
		begin()
		same, err := readOnce(f, visit)
		if same {
			return err
		}
		time.Sleep(readRest)
	}
	return ErrBusy
}

// readOnce reports whether the file stayed the same; else the error means nothing.
func readOnce(f *os.File, visit func(bucket, key, value []byte)) (same bool, err error) {
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return true, err
	}

	before, err := newestMeta(f)
	if err != nil {
		// One of the two may be under way.
		time.Sleep(readRest)
		if _, again := newestMeta(f); again != nil {
			return true, again
		}
		return false, nil
	}

	c := newChecker(f, before)
	c.visit = visit
	walk := c.tree(before.root, nil, nil, 0)
	after, err := newestMeta(f)
	if err != nil || after.txid != before.txid {
		return false, nil
	}
	if walk != nil {
		return true, fmt.Errorf("read as of commit %d: %w", before.txid, walk)
	}
	return true, nil
}
