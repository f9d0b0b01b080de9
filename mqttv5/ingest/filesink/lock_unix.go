//go:build unix

package filesink

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// noFollow makes opening a name fail that is a symbolic link.
const noFollow = syscall.O_NOFOLLOW

// Readers hold the lock only while they look at the end of a segment.
const (
	lockPatience = 10 * time.Second
	lockPause    = 10 * time.Millisecond
)

// lock takes the directory's lock for a writer, which the kernel releases with the
// process. It waits for readers, and fails with ErrLocked if there is a writer.
func lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if err != nil {
		return nil, err
	}

	for begin := time.Now(); ; time.Sleep(lockPause) {
		err = flock(f, syscall.LOCK_EX)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		// Only if there is no writer can this be shared.
		if err = flock(f, syscall.LOCK_SH); errors.Is(err, syscall.EWOULDBLOCK) || time.Since(begin) > lockPatience {
			err = ErrLocked
			break
		} else if err != nil {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lockShared keeps writers away until the file is closed. It makes no file, and
// reports false if there is a writer now.
func lockShared(name string) (f *os.File, ok bool, err error) {
	f, err = os.OpenFile(name, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, false, err
	}
	if err := flock(f, syscall.LOCK_SH); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, false, nil
		}
		return nil, false, err
	}
	return f, true, nil
}

func flock(f *os.File, how int) error {
	return syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
}
