package telemetry

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// maxUnpacked is the longest message in bytes after it has been unpacked.
const maxUnpacked = 16 << 20

// Report is a message that was read.
type Report struct {
	Kind    Kind
	Batch   bool // several devices, or one in the form for several
	Metrics []Device[Metric]
	Events  []Device[Event]
}

// Devices returns the serial numbers that a report is of, in order.
func (r *Report) Devices() (serials []string) {
	for _, d := range r.Metrics {
		serials = append(serials, d.Serial)
	}
	for _, d := range r.Events {
		serials = append(serials, d.Serial)
	}
	return serials
}

// Timed reports whether each sample has its time. Equal reports of a sender without
// record ids are copies of one only if it has.
func (r *Report) Timed() bool {
	return !slices.ContainsFunc(r.Metrics, func(d Device[Metric]) bool { return !Timed(d.Samples) }) &&
		!slices.ContainsFunc(r.Events, func(d Device[Event]) bool { return !Timed(d.Samples) })
}

// Unpack returns the JSON of a message, which may be compressed.
func Unpack(message []byte) ([]byte, error) {
	if !Compressed(message) {
		return message, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(message))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	if len(b) > maxUnpacked {
		return nil, fmt.Errorf("unpack: more than %d bytes", maxUnpacked)
	}
	return b, nil
}

// The JSON of a report, as loose as the vendor's library writes it: that passes on
// what its caller gives it.
type (
	wireReport struct {
		wireDevice
		Devices *[]wireDevice `json:"devices"`
	}
	wireDevice struct {
		Serial  *string         `json:"device_serial"`
		App     json.RawMessage `json:"app_id"`
		Metrics *[]wireSample   `json:"metrics"`
		Events  *[]wireSample   `json:"events"`
	}
	wireSample struct {
		Name  *string         `json:"name"`
		Type  *string         `json:"type"`
		Value json.RawMessage `json:"value"`
		Time  json.RawMessage `json:"timestamp"`
	}
)

// Parse reads a message of a kind, compressed or not. What is wrong with one sample
// is wrong with the message, as the cloud takes it as a whole or not at all.
func Parse(kind Kind, message []byte) (*Report, error) {
	r, err := parse(kind, message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return r, nil
}

// parse is Parse; its errors do not say yet what was read.
func parse(kind Kind, message []byte) (*Report, error) {
	text, err := Unpack(message)
	if err != nil {
		return nil, err
	}

	var w wireReport
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, err
	}

	r := &Report{Kind: kind, Batch: w.Devices != nil}
	if !r.Batch {
		return r, r.add(w.wireDevice)
	}
	if len(*w.Devices) == 0 {
		return nil, errors.New("a batch of no devices")
	}
	for i, d := range *w.Devices {
		if err := r.add(d); err != nil {
			return nil, fmt.Errorf("device %d of the batch: %w", i, err)
		}
	}
	return r, nil
}

// add reads what one device reports.
func (r *Report) add(w wireDevice) error {
	if w.Serial == nil || *w.Serial == "" {
		return errors.New("device_serial is missing")
	}

	app, err := parseApp(w.App)
	if err != nil {
		return fmt.Errorf("app_id of %q: %w", *w.Serial, err)
	}

	list := w.Metrics
	if r.Kind == KindEvents {
		list = w.Events
	}
	if list == nil || len(*list) == 0 {
		return fmt.Errorf("%q has no %s", *w.Serial, r.Kind)
	}

	metrics := Device[Metric]{Serial: *w.Serial, ApplicationID: app}
	events := Device[Event]{Serial: *w.Serial, ApplicationID: app}
	for i, s := range *list {
		t, err := parseTime(s.Time)
		if err == nil && r.Kind == KindMetrics {
			var m Metric
			m, err = s.metric(t)
			metrics.Samples = append(metrics.Samples, m)
		} else if err == nil {
			var e Event
			e, err = s.event(t)
			events.Samples = append(events.Samples, e)
		}
		if err != nil {
			return fmt.Errorf("%s of %q, number %d: %w", r.Kind, *w.Serial, i, err)
		}
	}

	if r.Kind == KindMetrics {
		r.Metrics = append(r.Metrics, metrics)
	} else {
		r.Events = append(r.Events, events)
	}
	return nil
}

func (s wireSample) metric(t time.Time) (Metric, error) {
	if s.Name == nil || *s.Name == "" {
		return Metric{}, errors.New("name is missing")
	}
	x, err := strconv.ParseFloat(string(s.Value), 64)
	if err != nil {
		return Metric{}, fmt.Errorf("the value of %s is no number", *s.Name)
	}
	return Metric{*s.Name, x, t}, nil
}

func (s wireSample) event(t time.Time) (Event, error) {
	if s.Type == nil || *s.Type == "" {
		return Event{}, errors.New("type is missing")
	}
	return Event{*s.Type, t}, nil
}

// parseApp reads an application, which the library's callers give as a number or
// as text.
func parseApp(b json.RawMessage) (uint32, error) {
	if len(b) == 0 || string(b) == "null" {
		return 0, nil
	}
	digits := string(b)
	if b[0] == '"' {
		if err := json.Unmarshal(b, &digits); err != nil {
			return 0, err
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0, errors.New("not a number from 0 to 4294967295")
	}
	return uint32(n), nil
}

// parseTime reads seconds since 1970.
func parseTime(b json.RawMessage) (time.Time, error) {
	if len(b) == 0 || string(b) == "null" {
		return time.Time{}, nil
	}
	x, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return time.Time{}, errors.New("timestamp is no number of seconds")
	}
	if !(x >= 0 && x < 253402300800) { // the year 10000
		return time.Time{}, fmt.Errorf("timestamp %s is no time between 1970 and 9999", b)
	}
	whole, fraction := math.Modf(x)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC(), nil
}
