//go:build unix

package childtest

import (
	"os/signal"
	"syscall"
)

// LimitFileSize lets no file of this process grow beyond n bytes: for an outbox as a
// full disk.
func LimitFileSize(n uint64) error {
	signal.Ignore(syscall.SIGXFSZ) // an error and no signal
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return err
	}
	l.Cur = min(n, l.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l)
}
