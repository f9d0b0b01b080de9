package capture

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/ulogkit/ulogkit/wire"
)

// kindRecord is the kind of the row of a decoded record.
const kindRecord = "record"

// Records writes the JSON of a log's records, an object a line, on to another
// writer, each with the keys that every row has and the packet_id of the publish
// that the log came in. The objects must not have these keys themselves.
type Records struct {
	w      io.Writer
	head   []byte // what a row begins with
	inside bool   // an object was begun
}

// NewRecords returns a writer for the records of the log that m publishes.
func NewRecords(w io.Writer, m *wire.Message) (*Records, error) {
	row := Row{
		Time: m.Time, Source: end(m.Source), Destination: end(m.Destination), Topic: m.Topic, Kind: kindRecord,
		PacketID: m.PacketID,
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&row); err != nil {
		return nil, err
	}
	return &Records{w: w, head: append(bytes.TrimSuffix(b.Bytes(), []byte("}\n")), ',')}, nil
}

// Write implements io.Writer.
func (r *Records) Write(b []byte) (n int, err error) {
	for line := range bytes.Lines(b) {
		rest := line
		if !r.inside {
			if _, err := r.w.Write(r.head); err != nil {
				return n, err
			}
			rest = line[1:] // the brace stands in the head
		}
		if _, err := r.w.Write(rest); err != nil {
			return n, err
		}
		r.inside = line[len(line)-1] != '\n'
		n += len(line)
	}
	return n, nil
}
