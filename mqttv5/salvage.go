package mqttv5

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Largest record in the file, in bytes.
const maxRecord = recordHead + 4*255 + DefaultMaxMessage

// checkBoltFile finds a file that was cut short before it is mapped: to touch a
// page beyond the end would kill the process. It reads the two meta pages of the
// format that bbolt has had since 2014 (bbolt's page.go and db.go): page header of
// 16 bytes, magic, version, page size, flags, root (16), free list (8), high water
// mark (8), transaction (8), FNV-1a sum.
func checkBoltFile(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Size() == 0 {
		return err // bbolt makes an empty file new
	}
	high := uint64(0)
	sizes := []int64{0}
	for i := 0; i < len(sizes); i++ {
		var m [80]byte
		if _, err := f.ReadAt(m[:], sizes[i]); err != nil {
			continue
		}
		ne := binary.NativeEndian
		if ne.Uint32(m[16:]) != 0xED0CDAED {
			continue
		}
		h := fnv.New64a()
		h.Write(m[16:72])
		if h.Sum64() != ne.Uint64(m[72:]) {
			continue
		}
		pageSize := uint64(ne.Uint32(m[24:]))
		high = max(high, ne.Uint64(m[56:])*pageSize)
		if i == 0 {
			sizes = append(sizes, int64(pageSize))
		}
	}
	if high == 0 {
		// The first meta page is lost; the second may stand at the usual size.
		var m [80]byte
		if _, err := f.ReadAt(m[:], int64(os.Getpagesize())); err == nil && binary.NativeEndian.Uint32(m[16:]) == 0xED0CDAED {
			high = binary.NativeEndian.Uint64(m[56:]) * uint64(binary.NativeEndian.Uint32(m[24:]))
		}
	}
	if high == 0 {
		return fmt.Errorf("%w: no meta page is readable", errStructure)
	}
	if uint64(fi.Size()) < high {
		return fmt.Errorf("%w: it ends at byte %d of %d", errStructure, fi.Size(), high)
	}
	return nil
}

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
	if err := os.Rename(temp, o.path); err != nil {
		return 0, err
	}
	return found, syncDir(o.cfg.Dir)
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
