package wire

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is how many bytes back a zstd file may refer; zstd -19 takes 8 MiB.
const maxWindow = 32 << 20

// errInput marks errors of the reader that a file comes from, which say nothing
// about the file.
var errInput = errors.New("cannot read on")

// input tells errors of a reader from those of what is read.
type input struct{ r io.Reader }

func (i input) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = inputError{err}
	}
	return n, err
}

// inputError reads as the error itself.
type inputError struct{ error }

func (e inputError) Unwrap() []error { return []error{errInput, e.error} }

// unpack returns what a file holds, by how it begins: what gzip, zstd and bzip2
// have packed is unpacked as it is read.
func unpack(r io.Reader) (_ *bufio.Reader, packed bool, err error) {
	const size = 1 << 16
	b := bufio.NewReaderSize(input{r}, size)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}

	bad := func(err error) error { return fmt.Errorf("%w: at offset 0: %w", ErrCapture, err) }
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			if errors.Is(err, errInput) {
				return nil, true, err
			}
			return nil, true, bad(fmt.Errorf("gzip: %w", err))
		}
		z.Multistream(false)
		return bufio.NewReaderSize(&members{z, b}, size), true, nil
	case bytes.HasPrefix(magic, []byte("BZh")):
		return bufio.NewReaderSize(bzip2.NewReader(b), size), true, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(magic):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, true, bad(fmt.Errorf("zstd: %w", err))
		}
		return bufio.NewReaderSize(z, size), true, nil
	case bytes.Equal(magic, []byte{0x04, 0x22, 0x4d, 0x18}):
		return nil, true, bad(errors.New("compressed with lz4: unpack it first, with lz4 -d"))
	case bytes.Equal(magic, []byte{0xfd, '7', 'z', 'X'}):
		return nil, true, bad(errors.New("compressed with xz: unpack it first, with unxz"))
	}
	return b, false, nil
}

// members reads the members of a gzip file, and passes over zeros behind one, which fill
// up blocks: so does gzip.
type members struct {
	z *gzip.Reader
	r *bufio.Reader
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 && errors.Is(err, io.EOF) {
			return n, nil // the end is found again
		}
		if !errors.Is(err, io.EOF) {
			return n, err
		}

		b := byte(0)
		for b == 0 {
			if b, err = m.r.ReadByte(); err != nil {
				return 0, err
			}
		}

		if err := m.r.UnreadByte(); err != nil {
			return 0, err
		}
		if err := m.z.Reset(m.r); err != nil {
			return 0, err
		}
		m.z.Multistream(false)
	}
}

// isSkippable reports whether a file begins with a frame that zstd passes over, as those
// of pzstd do.
func isSkippable(magic []byte) bool {
	return len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}
