package format

import "errors"

// Content is what a file holds, whole or damaged.
type Content uint8

// The contents that Recognize knows.
const (
	ContentUnknown  Content = iota
	ContentLog              // binary log of a known version
	ContentCoreDump         // crash dump behind uLogger's header
	ContentBareDump         // CrashCatcher's dump without the header, or its hexadecimal digits
	ContentELF              // firmware
)

var contentNames = [...]string{
	ContentUnknown: "unknown", ContentLog: "log", ContentCoreDump: "crash dump", ContentBareDump: "bare crash dump", ContentELF: "ELF file",
}

// String returns what the content is called in messages.
func (c Content) String() string {
	if int(c) < len(contentNames) {
		return contentNames[c]
	}
	return contentNames[ContentUnknown]
}

// RecognizeSize is how many bytes of a file Recognize needs to tell each content.
const RecognizeSize = CoreDumpHeaderSize + len(markDump)

const (
	markELF    = "\x7fELF"
	markDump   = "\x63\x43\x03\x00" // CrashCatcher's
	digitsDump = "63430300"
)

// Recognize says what the bytes are from what stands at fixed places: an ELF file
// begins with its name, a crash dump has CrashCatcher's mark behind its header or at
// its beginning, a log begins with a version that is known. It checks nothing else:
// see CheckLog and CheckCoreDump.
//
// Source: FORMAT sections 1 and 3.
func Recognize(b []byte) Content {
	head := b[:min(len(b), RecognizeSize)]
	switch {
	case hasPrefix(head, markELF):
		return ContentELF
	case len(head) == RecognizeSize && hasPrefix(head[CoreDumpHeaderSize:], markDump):
		return ContentCoreDump
	case hasPrefix(head, markDump), hasDigits(head, digitsDump):
		return ContentBareDump
	case len(head) > 0 && knownVersion(head):
		return ContentLog
	}
	return ContentUnknown
}

// knownVersion reports whether a log of these bytes would have a known version.
func knownVersion(b []byte) bool {
	_, _, err := ParseHeader(b)
	return !errors.Is(err, ErrVersion)
}

func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// hasDigits reports whether b begins with these digits, whatever blanks and line ends
// are between them.
func hasDigits(b []byte, digits string) bool {
	for _, c := range b {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c != digits[0]:
			return false
		}
		if digits = digits[1:]; digits == "" {
			return true
		}
	}
	return false
}
