package boltfile

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// What is read is of one commit, also when others come in the middle of it.
func TestReadIsOfOneCommit(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const keys = 2000
	fill := func(v byte) {
		err := f.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			for i := uint64(0); err == nil && i < keys; i++ {
				err = b.Put(binary.BigEndian.AppendUint64(nil, i), []byte{v, v, v, v, v, v, v, v})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill('a')

	begun := 0
	var seen map[byte]int
	err = Read(name, func() { begun++; seen = map[byte]int{} }, func(bucket, _, value []byte) {
		if begun == 1 && len(seen) == 0 {
			fill('b')
			fill('c')
		}
		if string(bucket) == "b" {
			seen[value[0]]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if begun != 2 || len(seen) != 1 || seen['c'] != keys {
		t.Errorf("got values %v after %d beginnings, want %d of the last commit after 2", seen, begun, keys)
	}
}
