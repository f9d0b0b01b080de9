// Package reports reads lines of JSON, each what a device reports, into batches for
// the cloud.
package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// A batch holds lines of at most so many bytes, so that it fits one message even
// where it is not compressed.
const maxBatch = 96 << 10

// maxBadLines is how many bad lines an error names.
const maxBadLines = 20

// Read reads lines, of which empty ones count for nothing. The error names those
// that the cloud could not use; the batches hold all others, the samples of a device
// in their order.
func Read[S telemetry.Sample](text []byte) (batches [][]telemetry.Device[S], err error) {
	var bad []error
	number, count := 0, 0
	b := &batch[S]{at: map[key]int{}}
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		devices, err := readLine[S](line)
		if err != nil {
			if count++; count <= maxBadLines {
				bad = append(bad, fmt.Errorf("line %d: %w", number, err))
			}
			continue
		}

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
	if count > maxBadLines {
		bad = append(bad, fmt.Errorf("%d lines more", count-maxBadLines))
	}
	return batches, errors.Join(bad...)
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
func readLine[S telemetry.Sample](line []byte) ([]telemetry.Device[S], error) {
	kind := telemetry.KindOf[S]()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	_, several := members[string(kind)]
	_, batch := members["devices"]
	if !several && !batch {
		// The sample's own members are those of its device as well.
		line = fmt.Appendf(nil, `{"device_serial":%s,"app_id":%s,"%s":[%s]}`, member(members, "device_serial"), member(members, "app_id"), kind, line)
	}

	report, err := telemetry.Parse(kind, line)
	if err != nil {
		return nil, err
	}

	var devices []telemetry.Device[S]
	switch d := any(&devices).(type) {
	case *[]telemetry.Device[telemetry.Metric]:
		*d = report.Metrics
	case *[]telemetry.Device[telemetry.Event]:
		*d = report.Events
	}

	// What can be read may still be no name.
	if _, err := telemetry.EncodeBatch(devices); err != nil {
		return nil, err
	}
	return devices, nil
}

func member(members map[string]json.RawMessage, name string) string {
	if v, ok := members[name]; ok {
		return string(v)
	}
	return "null"
}
