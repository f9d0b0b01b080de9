package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/wire"
)

// tapFile is the flag --tap: a capture file of a command's own connections.
type tapFile struct {
	name string
	file *os.File
	tap  *wire.Tap
}

func (t *tapFile) addFlag(flags *pflag.FlagSet) {
	flags.StringVar(&t.name, "tap", "", "record the traffic in plain text, secrets included, in the capture `FILE` (pcapng), for Wireshark or \"ulogkit capture\"")
}

// open creates the file, if the flag was given. Nobody but its owner can read
// it, since it holds session tokens.
func (t *tapFile) open() (err error) {
	if t.name == "" {
		return nil
	}
	if t.file, err = os.OpenFile(t.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	if info, err := t.file.Stat(); err == nil && info.Mode().IsRegular() {
		err = t.file.Chmod(0o600) // it may have been there before
		if err != nil {
			return errors.Join(err, t.file.Close())
		}
	}
	if t.tap, err = wire.NewTap(t.file); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", t.name, err), t.file.Close())
	}
	return nil
}

// client and server return the hook that records connections, or nil.
func (t *tapFile) client() func(net.Conn) net.Conn {
	if t.tap == nil {
		return nil
	}
	return t.tap.Client
}

func (t *tapFile) server() func(net.Conn) net.Conn {
	if t.tap == nil {
		return nil
	}
	return t.tap.Server
}

// close ends the recording.
func (t *tapFile) close() error {
	if t.tap == nil {
		return nil
	}
	if err := errors.Join(t.tap.Close(), t.file.Close()); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	return nil
}
