package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// checker walks the structure of a bbolt file before bbolt does. bbolt trusts
// its file: a page number that points nowhere ends the process, by a panic in a
// goroutine of its own or by a fault in the mapping, and a free list that lies
// loses data later. The file's format is that of bbolt's internal/common (page.go,
// meta.go, bucket.go), version 2, in the byte order of the machine:
//
//	page:    id u64, flags u16, count u16, overflow u32, then elements
//	meta:    magic u32, version u32, page size u32, flags u32, root u64,
//	         sequence u64, free list u64, high water u64, txid u64, FNV-1a u64
//	branch:  pos u32, key size u32, child u64; pos counts from the element
//	leaf:    flags u32, pos u32, key size u32, value size u32
//	bucket:  root u64, sequence u64; with root 0 a leaf page follows
//	free:    page numbers u64; a count of 0xffff is followed by the real one
type checker struct {
	f        io.ReaderAt
	visit    func(bucket, key, value []byte) // told of each value; may be nil
	bucket   []byte                          // the one that is walked
	pageSize int64
	high     uint64 // pages below this exist
	used     []bool
}

const (
	magic      = 0xED0CDAED
	pageBranch = 0x01
	pageLeaf   = 0x02
	pageFree   = 0x10
	pageHead   = 16
	noFreelist = 1<<64 - 1

	maxDepth = 32
)

var nativeEndian = binary.NativeEndian

func structureError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// check returns what is wrong with the structure of a file; no file and an
// empty one are fine. A spoiled meta page counts as damage although bbolt would
// fall back to the other: it would be without the last commit.
func check(name string) error {
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
		return err
	}

	m, err := newestMeta(f)
	if err != nil {
		return err
	}
	if m.high > uint64(fi.Size())/uint64(m.pageSize) {
		return structureError("it ends at byte %d, before page %d of %d bytes", fi.Size(), m.high, m.pageSize)
	}

	c := newChecker(f, m)
	if err := c.tree(m.root, nil, nil, 0); err != nil {
		return err
	}
	if m.free == noFreelist {
		return nil
	}
	return c.freelist(m.free)
}

func newChecker(f io.ReaderAt, m meta) *checker {
	return &checker{f: f, pageSize: int64(m.pageSize), high: m.high, used: make([]bool, m.high)}
}

// newestMeta returns the meta page of the last commit.
func newestMeta(f io.ReaderAt) (meta, error) {
	first, err := readMeta(f, 0)
	if err != nil {
		return first, err
	}
	second, err := readMeta(f, int64(first.pageSize))
	if err != nil {
		return second, err
	}
	if second.pageSize != first.pageSize {
		return first, structureError("the meta pages differ in their page size")
	}
	if second.txid > first.txid {
		return second, nil
	}
	return first, nil
}

type meta struct {
	pageSize               uint32
	root, free, high, txid uint64
}

// readMeta reads the meta page at an offset and checks its own sum.
func readMeta(f io.ReaderAt, at int64) (m meta, err error) {
	var b [80]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		if errors.Is(err, io.EOF) {
			return m, structureError("it ends within a meta page")
		}
		return m, err
	}
	h := fnv.New64a()
	h.Write(b[16:72])
	if nativeEndian.Uint32(b[16:]) != magic || nativeEndian.Uint32(b[20:]) != 2 || h.Sum64() != nativeEndian.Uint64(b[72:]) {
		return m, structureError("the meta page at byte %d is spoiled", at)
	}
	m = meta{nativeEndian.Uint32(b[24:]), nativeEndian.Uint64(b[32:]), nativeEndian.Uint64(b[48:]), nativeEndian.Uint64(b[56:]), nativeEndian.Uint64(b[64:])}
	if m.pageSize < 512 || m.pageSize > 1<<20 || m.pageSize&(m.pageSize-1) != 0 {
		return m, structureError("page size %d", m.pageSize)
	}
	return m, nil
}

// page reads a page with its overflow and marks it as used.
func (c *checker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= c.high {
		return nil, structureError("page %d does not exist", id)
	}
	head := make([]byte, pageHead)
	if _, err := c.f.ReadAt(head, int64(id)*c.pageSize); err != nil {
		return nil, err
	}
	n := uint64(nativeEndian.Uint32(head[12:])) + 1
	if nativeEndian.Uint64(head) != id || n > c.high-id {
		return nil, structureError("page %d says it is page %d with %d more", id, nativeEndian.Uint64(head), n-1)
	}
	for i := id; i < id+n; i++ {
		if c.used[i] {
			return nil, structureError("page %d is used twice", i)
		}
		c.used[i] = true
	}
	b := make([]byte, int64(n)*c.pageSize) // within the file, as high is
	_, err := c.f.ReadAt(b, int64(id)*c.pageSize)
	return b, err
}

// tree checks a page and all below it. Keys lie in [lower, upper).
func (c *checker) tree(id uint64, lower, upper []byte, depth int) error {
	if depth > maxDepth {
		return structureError("pages nest deeper than %d", maxDepth)
	}
	b, err := c.page(id)
	if err != nil {
		return err
	}
	return c.content(b, id, lower, upper, depth)
}

// content checks what a page of the tree holds, and all pages below it: the order of
// the keys, and that they lie between lower and upper.
func (c *checker) content(b []byte, id uint64, lower, upper []byte, depth int) error {
	flags, count := nativeEndian.Uint16(b[8:]), int(nativeEndian.Uint16(b[10:]))
	if flags != pageBranch && flags != pageLeaf {
		return structureError("page %d has flags 0x%02x", id, flags)
	}
	if pageHead+16*count > len(b) || (flags == pageBranch && count == 0) {
		return structureError("page %d has %d elements in %d bytes", id, count, len(b))
	}

	keys := make([][]byte, count)
	for i := range count {
		e := b[pageHead+16*i:]
		pos, ksize, vsize := uint64(nativeEndian.Uint32(e)), uint64(nativeEndian.Uint32(e[4:])), uint64(0)
		if flags == pageLeaf {
			pos, ksize, vsize = uint64(nativeEndian.Uint32(e[4:])), uint64(nativeEndian.Uint32(e[8:])), uint64(nativeEndian.Uint32(e[12:]))
		}
		if pos < 16 || pos+ksize+vsize > uint64(len(e)) {
			return structureError("element %d of page %d lies outside", i, id)
		}

		keys[i] = e[pos : pos+ksize]
		least := lower
		if i > 0 {
			least = append(bytes.Clone(keys[i-1]), 0)
		}
		if bytes.Compare(keys[i], least) < 0 || (upper != nil && bytes.Compare(keys[i], upper) >= 0) {
			return structureError("key %d of page %d is out of order", i, id)
		}

		if flags == pageLeaf {
			if err := c.value(nativeEndian.Uint32(e), keys[i], e[pos+ksize:pos+ksize+vsize], id, depth); err != nil {
				return err
			}
		}
	}

	if flags == pageLeaf {
		return nil
	}
	for i := range count {
		end := upper
		if i+1 < count {
			end = keys[i+1]
		}
		if err := c.tree(nativeEndian.Uint64(b[pageHead+16*i+8:]), keys[i], end, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// value checks what a leaf element holds: bytes, or a bucket.
func (c *checker) value(flags uint32, key, v []byte, id uint64, depth int) error {
	switch {
	case flags == 0:
		if c.visit != nil {
			c.visit(c.bucket, key, v)
		}
		return nil
	case flags != 1:
		return structureError("an element of page %d has flags 0x%x", id, flags)
	case len(v) < 16:
		return structureError("a bucket in page %d has %d bytes", id, len(v))
	}

	outer := c.bucket
	c.bucket = key
	defer func() { c.bucket = outer }()
	if root := nativeEndian.Uint64(v); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	if len(v) < 16+pageHead || nativeEndian.Uint16(v[16+8:]) != pageLeaf {
		return structureError("an inline bucket in page %d is no leaf", id)
	}
	return c.content(v[16:], id, nil, nil, depth+1)
}

// freelist checks that no page is both used and free.
func (c *checker) freelist(id uint64) error {
	b, err := c.page(id)
	if err != nil {
		return err
	}
	count, from := uint64(nativeEndian.Uint16(b[10:])), pageHead
	if nativeEndian.Uint16(b[8:]) != pageFree {
		return structureError("page %d is no free list", id)
	}
	if count == 0xffff {
		count, from = nativeEndian.Uint64(b[pageHead:]), pageHead+8
	}
	if count > uint64(len(b)-from)/8 {
		return structureError("the free list has %d entries in %d bytes", count, len(b))
	}

	for i := range count {
		p := nativeEndian.Uint64(b[from+8*int(i):])
		if p < 2 || p >= c.high || c.used[p] {
			return structureError("page %d is free and is not", p)
		}
		c.used[p] = true
	}
	return nil // a page that is neither is lost space and no more
}
