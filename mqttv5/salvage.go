package mqttv5

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Largest record in the file, in bytes.
const maxRecord = recordHead + 4*255 + DefaultMaxMessage

// salvage writes a new file with every intact record that a damaged one holds,
// wherever it lies. Records that had been delivered may lie in pages not yet used
// again and will be delivered once more: a consumer drops them by their id.
func (o *Outbox) salvage(from string) (found int, err error) {
	f, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	temp := o.path + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	db, err := bolt.Open(temp, 0o600, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if db != nil {
			db.Close()
		}
	}()
	batch := make([][]byte, 0, 64)
	flush := func() error {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucketRecords)
			if err != nil {
				return err
			}
			for _, v := range batch {
				if err := b.Put(seqKey(binary.LittleEndian.Uint64(v[8:])), v); err != nil {
					return err
				}
			}
			found = b.Stats().KeyN
			return nil
		})
		batch = batch[:0]
		return err
	}
	err = carve(f, func(v []byte) error {
		batch = append(batch, bytes.Clone(v))
		if len(batch) == cap(batch) {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return 0, err
	}
	err, db = db.Close(), nil
	if err != nil {
		return 0, err
	}
	return found, durable.Rename(temp, o.path)
}

// carve calls f with each intact record in a stream of bytes.
func carve(r io.Reader, f func([]byte) error) error {
	in := bufio.NewReaderSize(r, 2*maxRecord)
	for {
		b, err := in.Peek(2 * maxRecord)
		if len(b) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		at := bytes.Index(b, recordMagic)
		if at < 0 {
			in.Discard(max(1, len(b)-len(recordMagic)+1))
			continue
		}
		in.Discard(at)
		b, _ = in.Peek(maxRecord)
		n, ok := recordSize(b)
		if ok {
			_, err := decodeRecord(b[:n])
			ok = err == nil
		}
		if !ok {
			in.Discard(1)
			continue
		}
		if err := f(b[:n]); err != nil {
			return err
		}
		in.Discard(n)
	}
}
