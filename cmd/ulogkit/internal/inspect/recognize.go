package inspect

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
	"github.com/ulogkit/ulogkit/wire"
)

// What a command asks for, in the words of its errors.
const (
	ALog         = "a log"
	ACrashDump   = "a crash dump"
	AnELFFile    = "an ELF file"
	Text         = "text"
	ADictionary  = "a dictionary"
	ACapture     = "a capture file"
	ATokenFile   = "a file of session tokens"
	APosition    = "the position of an export"
	AnOutbox     = "an outbox"
	AnOutboxFile = "the file of an outbox"
	ASink        = "a sink"
	ASinkFile    = "a file of a sink"
	ACertificate = "a certificate"
	APrivateKey  = "a private key"
)

// takers say which commands and flags take a kind.
var takers = map[string]string{
	ALog:         `"ulogkit decode" turns it into text, "ulogkit upload" takes it without a flag`,
	ACrashDump:   `"ulogkit crash" explains it, "ulogkit upload" takes it with --core`,
	AnELFFile:    `"ulogkit decode" and "ulogkit crash" take it with --elf, "ulogkit upload" with --firmware`,
	ADictionary:  `"ulogkit decode" and "ulogkit capture" take it with --elf`,
	ACapture:     `"ulogkit capture" shows the traffic in it`,
	ATokenFile:   `"ulogkit upload", "ulogkit decode" and "ulogkit export" take it with --store`,
	APosition:    `"ulogkit export" takes it with --position`,
	AnOutbox:     `"ulogkit outbox list" shows what waits in it, "ulogkit upload" and "ulogkit gateway" deliver it, with --outbox`,
	AnOutboxFile: `"ulogkit outbox list" shows what waits in it, "ulogkit upload" and "ulogkit gateway" deliver it, with its folder as --outbox`,
	ASink:        `"ulogkit stored" lists what is in it and writes it to files, with --from file: and its name`,
	ASinkFile:    `"ulogkit stored" lists what is in it and writes it to files, with --from file: and the name of its folder`,
	ACertificate: `"ulogkit upload" and all that connect take it with --cert, one of an authority with --ca`,
	APrivateKey:  `"ulogkit upload" and all that connect take it with --key`,
}

// recognizeSize is how much of the beginning of a file is looked at, in bytes: what is
// compressed comes in blocks of up to 900 kB.
const recognizeSize = 1 << 20

// RecognizeFile is [Recognize] for a file or a folder by its name. What cannot be read
// or is neither may be anything.
func RecognizeFile(name string) (is, takes string) {
	info, err := os.Stat(name)
	if err != nil {
		return "", ""
	}
	if info.IsDir() {
		is = folder(name)
		return is, takers[is]
	}
	if !info.Mode().IsRegular() {
		return "", ""
	}

	b, err := durable.ReadStart(name, recognizeSize)
	if err != nil {
		return "", ""
	}
	return Recognize(b)
}

// OtherFile is [Other] for a file or a folder by its name.
func OtherFile(name, wanted string) error {
	is, takes := RecognizeFile(name)
	return other(is, takes, wanted)
}

// folder returns what a folder is, by the names in it.
func folder(name string) string {
	switch {
	case outbox.RecognizeDir(name):
		return AnOutbox
	case filesink.RecognizeDir(name):
		return ASink
	}
	return ""
}

// Recognize returns what a file is, by its beginning, and which commands and flags take
// it; both are empty where it may be anything. Of what is compressed it says what is
// inside, as far as that can be unpacked here.
func Recognize(b []byte) (is, takes string) {
	if is = plain(b); is != "" && (is != ALog || soundLog(b)) {
		return is, takers[is]
	}
	for _, p := range packers {
		if !bytes.HasPrefix(b[min(p.at, len(b)):], p.mark) {
			continue
		}
		what, within := "a file", ""
		if p.open != nil {
			if inner := plain(beginning(p.open, b)); inner == ACapture {
				return ACapture, takers[ACapture] // it is read as it is
			} else if inner != "" {
				what, within = inner, "; then "+takers[inner]
			}
		}
		return what + " compressed with " + p.name, "unpack it first, with " + p.unpack + within
	}
	return is, takers[is]
}

// soundLog reports whether b begins with a whole log. One that is damaged is known by its
// first byte alone, which what lz4 has packed begins with as well.
func soundLog(b []byte) bool {
	l, _, err := format.ParseLog(b)
	return err == nil && l.Verify() == nil
}

// plain returns what a file is that is not compressed.
func plain(b []byte) string {
	switch Kind(b) {
	case KindLog:
		return ALog
	case KindCoreDump:
		return ACrashDump
	case KindELF:
		return AnELFFile
	}

	text := bytes.TrimLeft(b[:min(len(b), 4096)], " \t\r\n")
	switch {
	case wire.Recognize(b):
		return ACapture
	case outbox.Recognize(b):
		return AnOutboxFile
	case filesink.Recognize(b):
		return ASinkFile
	case dict.Recognize(b): // a table too
		return ADictionary
	case tokens.Recognize(text):
		return ATokenFile
	case otlp.RecognizePosition(text):
		return APosition
	case bytes.HasPrefix(text, []byte("-----BEGIN CERTIFICATE-----")):
		return ACertificate
	case bytes.HasPrefix(text, []byte("-----BEGIN ")) && bytes.Contains(text[:min(len(text), 64)], []byte("PRIVATE KEY-----")):
		return APrivateKey
	}

	return ""
}

// packers are the programs whose files are known by how they begin. Some can be looked
// into.
var packers = [...]struct {
	name, unpack string
	at           int // where the mark stands
	mark         []byte
	open         func(io.Reader) (io.Reader, error) // nil: cannot be looked into
}{
	{"gzip", "gunzip", 0, []byte{0x1f, 0x8b, 8}, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"zstd", "unzstd", 0, []byte{0x28, 0xb5, 0x2f, 0xfd}, func(r io.Reader) (io.Reader, error) {
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
	}},
	{"bzip2", "bunzip2", 4, []byte("1AY&SY"), func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{"xz", "unxz", 0, []byte{0xfd, '7', 'z', 'X', 'Z', 0}, nil},
	{"lz4", "lz4 -d", 0, []byte{0x04, 0x22, 0x4d, 0x18}, nil},
	{"zip", "unzip", 0, []byte("PK\x03\x04"), nil},
}

// beginning returns the first bytes of what is packed, and none where it is damaged.
func beginning(open func(io.Reader) (io.Reader, error), b []byte) []byte {
	r, err := open(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	if closer, ok := r.(interface{ Close() }); ok {
		defer closer.Close()
	}
	head := make([]byte, 4096)
	n, _ := io.ReadFull(r, head) // what is there tells enough
	return head[:n]
}
