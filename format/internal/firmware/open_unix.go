//go:build unix

package firmware

import (
	"os"
	"syscall"
)

// openFile opens a file to read, and does not wait for whoever writes into a pipe.
func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
