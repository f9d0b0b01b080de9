package capture

import (
	"context"
	"io"
)

// Live is a reader of what may come at any time, such as a pipe from a program
// that is capturing. Before it waits it calls a function, which passes on what
// is there; it ends, with the context's error, when the context is done.
type Live struct {
	ctx  context.Context
	idle func() error
	rest []byte // of the last piece
	want chan struct{}
	got  chan piece
}

type piece struct {
	b   []byte
	err error
}

// NewLive returns a reader of r. When the context is done, a goroutine may stay
// behind that waits for r, until the program ends.
func NewLive(ctx context.Context, r io.Reader, idle func() error) *Live {
	l := &Live{ctx: ctx, idle: idle, want: make(chan struct{}), got: make(chan piece, 1)}
	go func() {
		buf := make([]byte, 1<<16)
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.want:
			}
			n, err := r.Read(buf)
			l.got <- piece{buf[:n], err}
		}
	}()
	return l
}

// Read implements io.Reader.
func (l *Live) Read(p []byte) (int, error) {
	if len(l.rest) > 0 {
		n := copy(p, l.rest)
		l.rest = l.rest[n:]
		return n, nil
	}

	if err := l.idle(); err != nil {
		return 0, err
	}
	select {
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	case l.want <- struct{}{}:
	}

	select {
	case <-l.ctx.Done():
		return 0, l.ctx.Err()
	case got := <-l.got:
		n := copy(p, got.b)
		l.rest = got.b[n:]
		return n, got.err
	}
}

// Interruptible returns a reader of r that ends, with the context's error, when
// the context is done.
func Interruptible(ctx context.Context, r io.Reader) io.Reader { return interruptible{ctx, r} }

type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
