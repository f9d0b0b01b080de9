package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// lie is a file of bbolt in memory, whose pages are of 4096 bytes.
type lie []byte

const lieSize = 4096

func (b lie) page(id uint64) []byte { return b[id*lieSize : (id+1)*lieSize] }

func (b lie) u32(at []byte, v uint32) { nativeEndian.PutUint32(at, v) }

// meta changes both meta pages and makes their sums right.
func (b lie) meta(change func(m []byte)) {
	for id := range uint64(2) {
		b.oneMeta(id, change)
	}
}

func (b lie) oneMeta(id uint64, change func(m []byte)) {
	m := b.page(id)
	change(m[pageHead:])
	h := fnv.New64a()
	h.Write(m[16:72])
	nativeEndian.PutUint64(m[72:], h.Sum64())
}

// element returns element i of a page.
func element(page []byte, i int) []byte { return page[pageHead+16*i:] }

// child returns the page that element i of a branch leads to.
func child(page []byte, i int) uint64 { return nativeEndian.Uint64(element(page, i)[8:]) }

// key returns the key of element i of a leaf.
func key(page []byte, i int) []byte {
	e := element(page, i)
	pos := nativeEndian.Uint32(e[4:])
	return e[pos : pos+nativeEndian.Uint32(e[8:])]
}

// honest returns a file with a bucket "big" of many pages and a bucket "small" within
// the page of the root, and where they are.
func honest(t *testing.T) (b lie, root, branch, leaf, free uint64) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	db, err := bolt.Open(name, 0o600, &bolt.Options{PageSize: lieSize})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time leaves free pages
		err := db.Update(func(tx *bolt.Tx) error {
			small, err := tx.CreateBucketIfNotExists([]byte("small"))
			if err != nil {
				return err
			}
			big, err := tx.CreateBucketIfNotExists([]byte("big"))
			if err != nil {
				return err
			}
			for i := range uint64(1000) {
				err = errors.Join(err, big.Put(binary.BigEndian.AppendUint64(nil, i<<8), []byte("value")))
			}
			return errors.Join(err, small.Put([]byte("k"), []byte("v")))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	b, err = os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newestMeta(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	root, free = m.root, m.free
	e := element(b.page(root), 0)
	branch = nativeEndian.Uint64(e[nativeEndian.Uint32(e[4:])+nativeEndian.Uint32(e[8:]):])
	return b, root, branch, child(b.page(branch), 0), free
}

// F19: whatever a page says that cannot be is found before bbolt believes it, which
// would end the process or lose data later.
func TestEachLieIsFound(t *testing.T) {
	good, root, branch, leaf, free := honest(t)
	name := filepath.Join(t.TempDir(), "f")
	try := func(b lie) error {
		t.Helper()
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return check(name)
	}
	if err := try(good); err != nil {
		t.Fatalf("got %v of an honest file", err)
	}

	for want, change := range map[string]func(b lie){
		"the meta page at byte 0 is spoiled":           func(b lie) { b.oneMeta(0, func(m []byte) { m[0]++ }) },
		"the meta page at byte 4096 is spoiled":        func(b lie) { b.oneMeta(1, func(m []byte) { m[4]++ }) },
		"the meta page at byte 0 is spoiled, by a bit": func(b lie) { b[30] ^= 1 },
		"page size 3000":    func(b lie) { b.meta(func(m []byte) { b.u32(m[8:], 3000) }) },
		"page size 256":     func(b lie) { b.meta(func(m []byte) { b.u32(m[8:], 256) }) },
		"page size 2097152": func(b lie) { b.meta(func(m []byte) { b.u32(m[8:], 2<<20) }) },
		"the meta pages differ in their page size":      func(b lie) { b.oneMeta(1, func(m []byte) { b.u32(m[8:], 8192) }) },
		"before page 1099511627776 of":                  func(b lie) { b.meta(func(m []byte) { nativeEndian.PutUint64(m[40:], 1<<40) }) },
		"page 1 does not exist":                         func(b lie) { b.meta(func(m []byte) { nativeEndian.PutUint64(m[16:], 1) }) },
		"page 12345 does not exist":                     func(b lie) { nativeEndian.PutUint64(element(b.page(branch), 1)[8:], 12345) },
		"says it is page 77 with 0 more":                func(b lie) { nativeEndian.PutUint64(b.page(leaf), 77) },
		"with 4294967295 more":                          func(b lie) { b.u32(b.page(leaf)[12:], 1<<32-1) },
		"is used twice":                                 func(b lie) { nativeEndian.PutUint64(element(b.page(branch), 1)[8:], leaf) },
		"has flags 0x20":                                func(b lie) { nativeEndian.PutUint16(b.page(leaf)[8:], 0x20) },
		"has 65535 elements in 4096 bytes":              func(b lie) { nativeEndian.PutUint16(b.page(leaf)[10:], 0xffff) },
		"has 0 elements in 4096 bytes":                  func(b lie) { nativeEndian.PutUint16(b.page(branch)[10:], 0) },
		"element 0 of page":                             func(b lie) { b.u32(element(b.page(leaf), 0)[4:], 8) },
		"element 1 of page":                             func(b lie) { b.u32(element(b.page(leaf), 1)[8:], 1<<31) },
		"element 2 of page":                             func(b lie) { b.u32(element(b.page(leaf), 2)[12:], 5000) },
		"key 1 of page":                                 func(b lie) { copy(key(b.page(leaf), 1), key(b.page(leaf), 0)) },
		"is out of order":                               func(b lie) { clear(key(b.page(child(b.page(branch), 1)), 0)) },
		"key 5 of page":                                 func(b lie) { key(b.page(leaf), 5)[0] = 0xff },
		"an element of page":                            func(b lie) { b.u32(element(b.page(leaf), 0), 2) },
		"has 8 bytes":                                   func(b lie) { b.u32(element(b.page(root), 0)[12:], 8) },
		"an inline bucket in page":                      func(b lie) { inline(b.page(root))[8]++ },
		"is no free list":                               func(b lie) { nativeEndian.PutUint16(b.page(free)[8:], pageLeaf) },
		"the free list has 65534 entries in 4096 bytes": func(b lie) { nativeEndian.PutUint16(b.page(free)[10:], 0xfffe) },
		"page 0 is free and is not":                     func(b lie) { nativeEndian.PutUint64(b.page(free)[pageHead:], 0) },
		"page 99999 is free and is not":                 func(b lie) { nativeEndian.PutUint64(b.page(free)[pageHead:], 99999) },
		"is free and is not":                            func(b lie) { nativeEndian.PutUint64(b.page(free)[pageHead:], leaf) },
	} {
		b := bytes.Clone(good)
		change(b)
		want, _, _ := strings.Cut(want, ", ")
		if err := try(b); !IsDamage(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want damage of which %q", err, want)
		}
	}

	for n := 0; n < 2*lieSize; n += 127 {
		if err := try(good[:n]); (n > 0) != IsDamage(err) {
			t.Errorf("of %d bytes: got %v, want damage: %v", n, err, n > 0)
		}
	}
}

// inline returns the page of the bucket "small", which is in the root's.
func inline(root []byte) []byte {
	e := element(root, 1)
	return e[nativeEndian.Uint32(e[4:])+nativeEndian.Uint32(e[8:])+16:]
}

// Branches that lead to branches without end are followed so far and no further.
func TestDepthHasABound(t *testing.T) {
	for depth, want := range map[int]bool{maxDepth - 1: true, maxDepth + 2: false} {
		b := lie(make([]byte, (depth+2)*lieSize))
		for i := range depth {
			p := b.page(uint64(2 + i))
			nativeEndian.PutUint64(p, uint64(2+i))
			nativeEndian.PutUint16(p[8:], pageBranch)
			nativeEndian.PutUint16(p[10:], 1)
			e := element(p, 0)
			b.u32(e, 16)
			nativeEndian.PutUint64(e[8:], uint64(3+i))
			if i == depth-1 {
				nativeEndian.PutUint16(p[8:], pageLeaf)
				nativeEndian.PutUint16(p[10:], 0)
			}
		}
		c := newChecker(bytes.NewReader(b), meta{pageSize: lieSize, high: uint64(depth + 2)})
		if err := c.tree(2, nil, nil, 0); (err == nil) != want {
			t.Errorf("%d pages deep: got %v, want it fine: %v", depth, err, want)
		}
	}
}
