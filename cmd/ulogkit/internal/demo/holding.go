package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// Holding is what the far side holds of one device.
type Holding struct {
	Device
	NumLogs   int
	Logs      []byte // their bytes, one after the other, in the order in which the device sent them
	Forgotten int    // of the logs: the cloud bounds its memory
	Dump      []byte // a crash dump; nil when the device has not crashed
}

// Holdings returns what the far side holds, in the order of the devices: the
// bytes that the ingest workers have stored if there were any, else those that
// the cloud remembers. A device that was not registered before an error has none.
func (r *Result) Holdings() []Holding {
	stored := map[[sha256.Size]byte][]byte{}
	for _, rec := range r.Stored {
		stored[sha256.Sum256(rec.Payload)] = rec.Payload
	}

	var all []Holding
	place := map[string]int{}
	for _, d := range r.Devices {
		if d.Token != 0 {
			place[d.DeviceSerial] = len(all)
			all = append(all, Holding{Device: d})
		}
	}

	for _, got := range r.Received {
		i, known := place[got.DeviceSerial]
		if !known {
			continue
		}
		payload := got.Payload
		if len(r.Stored) > 0 {
			payload = stored[got.SHA256]
		}

		switch h := &all[i]; {
		case got.Kind == localcloud.KindCoreDump:
			h.Dump = payload
		case payload == nil:
			h.NumLogs++
			h.Forgotten++
		default:
			h.NumLogs++
			h.Logs = append(h.Logs, payload...)
		}
	}
	return all
}

// Decode writes the logs as text, as "ulogkit decode" does. The simulated devices'
// firmware has no ELF file, so the dictionary is the simulation's.
func (h *Holding) Decode(ctx context.Context, w io.Writer, colour bool) error {
	d, err := sample.Dictionary()
	if err != nil {
		return err
	}
	line, err := text.ParseLine(text.DefaultLine, colour)
	if err != nil {
		return err
	}
	decoder, err := text.NewDecoder(text.Config{Dictionaries: []text.Dictionary{d}, Line: line})
	if err != nil {
		return err
	}
	// The report would tell of strings that a device drops on purpose, to show that too.
	_, err = decoder.Decode(ctx, h.DeviceSerial, bytes.NewReader(h.Logs), w)
	return err
}
