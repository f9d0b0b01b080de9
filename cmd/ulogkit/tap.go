package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/wire"
)

// tapFile is the flag --tap: a capture file of a command's own connections. It is
// made when the first of them is up, and until then what is there stays.
type tapFile struct {
	out  files.Output
	once sync.Once
	file *os.File
	tap  *wire.Tap
	err  error
	tell io.Writer // is told at once when the recording cannot go on; nil is nobody
}

// tapWriter tells of the first write that fails: a command may run on for days.
type tapWriter struct {
	to  io.Writer
	tap *tapFile
}

// Write implements io.Writer.
func (w tapWriter) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	if err != nil && w.tap.tell != nil && w.tap.tap != nil { // else open tells
		fmt.Fprintf(w.tap.tell, "%s: recording ended: %v\n", w.tap.out.Name, err)
	}
	return n, err
}

func (t *tapFile) addFlag(flags *pflag.FlagSet) {
	t.out.Flag, t.out.Mine = "--tap", wire.IsTap
	flags.StringVar(&t.out.Name, "tap", "", "record the traffic in plain text, secrets included, in the capture `FILE` (pcapng), for Wireshark or \"ulogkit capture\"")
	flags.BoolVar(&t.out.Force, "force", false, "let --tap replace a file that is no such recording")
}

// check reports whether the file can be made and is not one of those that are read.
func (t *tapFile) check(inputs ...files.Input) error { return t.out.Check(inputs...) }

// client and server return the hook that records connections, or nil.
func (t *tapFile) client() func(net.Conn) net.Conn {
	return t.hook((*wire.Tap).Client)
}

func (t *tapFile) server() func(net.Conn) net.Conn {
	return t.hook((*wire.Tap).Server)
}

func (t *tapFile) hook(wrap func(*wire.Tap, net.Conn) net.Conn) func(net.Conn) net.Conn {
	if t.out.Name == "" {
		return nil
	}
	return func(c net.Conn) net.Conn {
		t.once.Do(t.open)
		if t.tap == nil {
			return c // close tells
		}
		return wrap(t.tap, c)
	}
}

// open makes the file. Nobody but its owner can read it, since it holds session
// tokens.
func (t *tapFile) open() {
	t.file, t.err = t.out.Grow(func(w io.Writer) (err error) {
		t.tap, err = wire.NewTap(tapWriter{w, t})
		return err
	})
	if t.err != nil {
		t.tap = nil
		if t.tell != nil {
			fmt.Fprintf(t.tell, "nothing is recorded: %v\n", t.err)
		}
	}
}

// close ends the recording.
func (t *tapFile) close() error {
	t.once.Do(func() {}) // no connection came, and none will
	if t.tap == nil {
		return t.err
	}
	if err := errors.Join(t.tap.Close(), t.file.Close()); err != nil {
		return fmt.Errorf("%s: %w", t.out.Name, err)
	}
	return nil
}
