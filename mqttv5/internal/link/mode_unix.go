//go:build unix

package link

import (
	"fmt"
	"io/fs"
	"syscall"
)

// checkKeyMode refuses a private key that others can read. Mode 0640 is accepted
// from root, who gives a service its key through a group.
func checkKeyMode(fi fs.FileInfo) error {
	mode := fi.Mode().Perm()
	if mode&0o077 == 0 {
		return nil
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid == 0 && mode&^0o640 == 0 {
		return nil
	}
	return fmt.Errorf("others can read it (mode %04o)", mode)
}
