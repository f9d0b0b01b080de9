package otlp

import "regexp"

// RecognizePosition reports whether a file that begins with these bytes is the
// position of an export, by its first members.
func RecognizePosition(start []byte) bool {
	return regexp.MustCompile(`^\s*\{\s*"v"\s*:\s*\d+\s*,\s*"(sink|sink_name|receiver|next)"\s*:`).Match(start)
}
