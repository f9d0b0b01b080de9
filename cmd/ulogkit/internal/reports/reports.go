// Package reports reads lines of JSON, each what a device reports, into batches for
// the cloud.
package reports

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// A batch holds lines of at most so many bytes, so that it fits one message even
// where it is not compressed.
const maxBatch = 96 << 10

// maxBadLines is how many bad lines an error names.
const maxBadLines = 20

// Read reads lines, of which empty ones count for nothing, as UTF-8 or, with a byte order
// mark, as the UTF-16 that PowerShell writes. The batches hold all that
// the cloud can use, the samples of a device in their order; bad names the lines that
// it cannot use, partly what of the others is not in the batches, or not as it stands.
func Read[S telemetry.Sample](text []byte) (batches [][]telemetry.Device[S], partly, bad error) {
	var left, cut complaints
	number := 0
	b := &batch[S]{at: map[key]int{}}
	for line := range bytes.Lines(utf8Of(text)) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		devices, lost, err := readLine[S](line)
		left.add(number, err)
		if err != nil {
			continue
		}
		cut.add(number, lost)

		if b.size > 0 && b.size+len(line) > maxBatch {
			batches = append(batches, b.devices)
			b = &batch[S]{at: map[key]int{}}
		}
		b.size += len(line)
		for _, d := range devices {
			b.add(d)
		}
	}

	if len(b.devices) > 0 {
		batches = append(batches, b.devices)
	}
	return batches, cut.joined(), left.joined()
}

// utf8Of returns text as UTF-8 without a byte order mark.
func utf8Of(text []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}

	units := make([]uint16, 0, len(text)/2)
	for text = text[2:]; len(text) >= 2; text = text[2:] {
		units = append(units, order.Uint16(text))
	}
	return []byte(string(utf16.Decode(units)))
}

// complaints are about lines, the first of them in full.
type complaints struct {
	first []error
	count int
}

func (c *complaints) add(line int, err error) {
	if err == nil {
		return
	}
	if c.count++; c.count <= maxBadLines {
		c.first = append(c.first, fmt.Errorf("line %d: %w", line, err))
	}
}

func (c *complaints) joined() error {
	all := c.first
	if c.count > maxBadLines {
		all = append(all, fmt.Errorf("%d lines more", c.count-maxBadLines))
	}
	return errors.Join(all...)
}

type key struct {
	serial      string
	application uint32
}

// batch gathers what devices report.
type batch[S telemetry.Sample] struct {
	devices []telemetry.Device[S]
	at      map[key]int
	size    int // bytes of lines
}

func (b *batch[S]) add(d telemetry.Device[S]) {
	k := key{d.Serial, d.ApplicationID}
	i, ok := b.at[k]
	if !ok {
		b.at[k] = len(b.devices)
		b.devices = append(b.devices, d)
		return
	}
	b.devices[i].Samples = append(b.devices[i].Samples, d.Samples...)
}

// readLine reads one sample, or what the cloud takes as a message.
func readLine[S telemetry.Sample](line []byte) (devices []telemetry.Device[S], partly, bad error) {
	kind := telemetry.KindOf[S]()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, nil, fmt.Errorf("not a JSON object: %w", err)
	}
	_, several := members[string(kind)]
	_, batch := members["devices"]
	if !several && !batch {
		// The sample's own members are those of its device as well.
		line = fmt.Appendf(nil, `{"device_serial":%s,"app_id":%s,"%s":[%s]}`, member(members, "device_serial"), member(members, "app_id"), kind, line)
	}

	report, err := telemetry.Parse(kind, line)
	if err != nil {
		return nil, nil, err
	}
	switch d := any(&devices).(type) {
	case *[]telemetry.Device[telemetry.Metric]:
		*d = report.Metrics
	case *[]telemetry.Device[telemetry.Event]:
		*d = report.Events
	}

	// What can be read may still be no name.
	if _, err := telemetry.EncodeBatch(devices); err != nil {
		return nil, nil, err
	}
	return devices, lost(kind, members), nil
}

func member(members map[string]json.RawMessage, name string) string {
	if v, ok := members[name]; ok {
		return string(v)
	}
	return "null"
}
