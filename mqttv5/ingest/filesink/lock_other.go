//go:build !unix

package filesink

import "os"

// lock opens the lock file. Elsewhere than on unix systems nothing keeps two
// processes apart.
func lock(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
