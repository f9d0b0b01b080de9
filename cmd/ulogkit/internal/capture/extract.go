package capture

import (
	"fmt"
	"path/filepath"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/wire"
)

// Extractor writes the payloads of messages into a directory.
type Extractor struct {
	dir      string
	force    bool // replace files that hold something else
	inputs   []files.Input
	count    int // publishes so far
	Withheld int // payloads not written, since they hold secrets
}

// NewExtractor makes the directory, for its owner alone, unless it is there.
// None of the inputs is replaced.
func NewExtractor(dir string, force bool, inputs ...files.Input) (*Extractor, error) {
	if err := files.MakeDir(dir); err != nil {
		return nil, err
	}
	return &Extractor{dir: dir, force: force, inputs: inputs}, nil
}

var extensions = map[wire.Kind]string{
	wire.KindLog: ".bin", wire.KindCoreDump: ".core", wire.KindTextLog: ".ndjson",
	wire.KindBootRequest: ".json", wire.KindBootReply: ".json", wire.KindFirmwareRequest: ".json", wire.KindFirmwareReply: ".json",
}

// Write writes the payload of a publish and returns the file's name; it is
// empty for what is no publish, is not known or is withheld. The name is the number of the
// publish in the capture and its kind, never a part of its topic.
func (e *Extractor) Write(m *wire.Message) (name string, err error) {
	if m.Packet != wire.PacketPublish || m.Kind == wire.KindCut {
		return "", nil
	}
	e.count++
	if m.Undecided {
		return "", nil // of which bytes the payload consists is not known
	}
	if len(m.Payload) < m.PayloadSize {
		e.Withheld++
		return "", nil
	}
	extension := extensions[m.Kind]
	if extension == "" {
		extension = ".bin"
	}
	name = filepath.Join(e.dir, fmt.Sprintf("%06d-%v%s", e.count, m.Kind, extension))
	return name, files.Extract(name, m.Payload, e.force, e.inputs...)
}
