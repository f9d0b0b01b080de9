package tokens

import "regexp"

// Recognize reports whether a file that begins with these bytes holds session tokens:
// ours by its first members, and that of the vendor's library, an object by the names
// of devices, by those of the first device.
func Recognize(start []byte) bool {
	return regexp.MustCompile(`^\s*\{\s*("version"\s*:\s*\d+\s*,\s*"sessions"\s*:\s*\[|"(\\.|[^"\\])*"\s*:\s*\{\s*"(token|git_hash)"\s*:)`).Match(start)
}
