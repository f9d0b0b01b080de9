package firmware

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// How a section with flagCompressed is compressed.
//
// Source: the ELF specification of the System V gABI, compressed sections.
const (
	sizeChdr = 12

	compressZlib, compressZstd = 1, 2

	// maxRatio is how many times its size in the file a section may have, so
	// that a small file cannot fill the memory. Debug information has 3 to 10.
	maxRatio = 48
	minRatio = 64 << 10 // bytes that are always allowed
)

// Debug reads a section of debug information by its name, decompressed, or nil
// if there is none. Suffix is ".dwo" for those of split files, else "".
func (f *File) Debug(name, suffix string) ([]byte, error) {
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ == sectionNoBits || int64(s.Size) > maxDebug {
			continue
		}

		switch {
		case f.Is(s, "."+name+suffix):
			return f.Read(s)
		case f.Is(s, ".z"+name+suffix): // GNU's older form
			b, err := f.read(int64(s.offset), int64(s.Size))
			if err != nil {
				return nil, err
			}
			const mark, head = "ZLIB", 12
			if len(b) < head || string(b[:4]) != mark {
				return nil, fmt.Errorf("%w: section %d is not compressed as its name .z%s says", ErrDamaged, i, name)
			}
			return f.inflate(s, compressZlib, binary.BigEndian.Uint64(b[4:]), b[head:])
		}
	}
	return nil, nil
}

// Read reads the contents of a section, decompressed.
func (f *File) Read(s *Section) ([]byte, error) {
	b, err := f.read(int64(s.offset), int64(s.Size))
	if err != nil || s.flags&flagCompressed == 0 {
		return b, err
	}
	if len(b) < sizeChdr {
		return nil, fmt.Errorf("%w: section %d is compressed and has %d bytes", ErrDamaged, s.Index, len(b))
	}
	le := binary.LittleEndian
	return f.inflate(s, le.Uint32(b), uint64(le.Uint32(b[4:])), b[sizeChdr:])
}

// inflate decompresses the contents of a section to size bytes.
func (f *File) inflate(s *Section, method uint32, size uint64, b []byte) ([]byte, error) {
	if size > uint64(len(b))*maxRatio+minRatio || size > maxDebug {
		return nil, fmt.Errorf("%w: section %d has %d bytes compressed and says that it has %d", ErrTooLarge, s.Index, len(b), size)
	}
	if f.loaded += int64(size); f.loaded > MaxLoaded {
		return nil, fmt.Errorf("%w: its sections add up to more than %d bytes", ErrTooLarge, MaxLoaded)
	}

	var r io.Reader
	var err error
	switch method {
	case compressZlib:
		r, err = zlib.NewReader(bytes.NewReader(b))
	case compressZstd:
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDebug), zstd.WithDecoderLowmem(true))
		if err == nil {
			defer d.Close()
		}
		r = d
	default:
		return nil, fmt.Errorf("%w: section %d is compressed by method %d, known are 1 (zlib) and 2 (zstd)", ErrUnsupported, s.Index, method)
	}

	var out bytes.Buffer
	if err == nil {
		_, err = io.Copy(&out, io.LimitReader(r, int64(size)))
	}
	if err == nil && uint64(out.Len()) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%w: section %d cannot be decompressed: %w", ErrDamaged, s.Index, err)
	}
	return out.Bytes(), nil
}
