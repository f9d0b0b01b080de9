package telemetry

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxMessage is the longest message in bytes that the cloud takes over MQTT, after
// compression.
const MaxMessage = 128 << 10

// compressAbove is the length in bytes above which CompressAuto compresses.
const compressAbove = 1024

// maxName is the longest name, type or serial number in bytes.
const maxName = 256

// ErrInvalid is wrapped by every error about what a report holds.
var ErrInvalid = errors.New("not a report that the cloud takes")

// ErrTooLarge is wrapped by the error about a message that is over MaxMessage.
var ErrTooLarge = errors.New("message is too large")

// Kind is what a report holds.
type Kind string

// Kinds of reports, by the names that topics, JSON and addresses have for them.
const (
	KindMetrics Kind = "metrics"
	KindEvents  Kind = "events"
)

// Metric is a number with a name.
type Metric struct {
	Name  string    // not empty
	Value float64   // finite
	Time  time.Time // when it was measured, to the microsecond; zero is when it arrives
}

// Event is something that happened.
type Event struct {
	Type string    // not empty
	Time time.Time // when it happened, to the microsecond; zero is when it arrives
}

// Sample is what a report is made of.
type Sample interface{ Metric | Event }

// Device is what one device reports.
type Device[S Sample] struct {
	Serial string // serial number; required

	// ApplicationID is the application of the device's firmware. Default: that of
	// the batch.
	ApplicationID uint32

	Samples []S // at least one
}

// Heartbeat returns the metric that says that a device is alive.
func Heartbeat(t time.Time) Metric { return Metric{Name: "heartbeat", Value: 1, Time: t} }

// Timed reports whether each sample has its time.
func Timed[S Sample](samples []S) bool {
	for _, s := range samples {
		if timeOf(s).IsZero() {
			return false
		}
	}
	return true
}

// At returns the samples, those without a time with the time t.
func At[S Sample](samples []S, t time.Time) []S {
	timed := slices.Clone(samples)
	for i := range timed {
		if !timeOf(timed[i]).IsZero() {
			continue
		}
		switch s := any(&timed[i]).(type) {
		case *Metric:
			s.Time = t
		case *Event:
			s.Time = t
		}
	}
	return timed
}

func timeOf[S Sample](s S) time.Time {
	if e, ok := any(s).(Event); ok {
		return e.Time
	}
	return any(s).(Metric).Time
}

// KindOf returns the kind of a report of such samples.
func KindOf[S Sample]() Kind {
	var s S
	if _, ok := any(s).(Event); ok {
		return KindEvents
	}
	return KindMetrics
}

// Encode returns the message with which one device reports.
func Encode[S Sample](serial string, samples []S) ([]byte, error) {
	b, err := appendDevice(nil, Device[S]{Serial: serial, Samples: samples})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}

// EncodeBatch returns one message with the reports of several devices.
func EncodeBatch[S Sample](devices []Device[S]) ([]byte, error) {
	if len(devices) == 0 {
		return nil, fmt.Errorf("%w: a batch of no devices", ErrInvalid)
	}

	b := []byte(`{"devices":[`)
	for i, d := range devices {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendDevice(b, d); err != nil {
			return nil, fmt.Errorf("%w: device %d of the batch: %w", ErrInvalid, i, err)
		}
	}
	return append(b, "]}"...), nil
}

// appendDevice appends one device of a batch with its samples.
func appendDevice[S Sample](b []byte, d Device[S]) ([]byte, error) {
	if err := checkName("serial number", d.Serial); err != nil {
		return nil, err
	}

	kind := KindOf[S]()
	if len(d.Samples) == 0 {
		return nil, fmt.Errorf("%q has no %s", d.Serial, kind)
	}

	b = append(b, `{"device_serial":`...)
	b = appendString(b, d.Serial)
	if d.ApplicationID != 0 {
		b = append(b, `,"app_id":`...)
		b = strconv.AppendUint(b, uint64(d.ApplicationID), 10)
	}

	b = append(b, `,"`...)
	b = append(b, kind...)
	b = append(b, `":[`...)
	for i, s := range d.Samples {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		switch s := any(s).(type) {
		case Metric:
			b, err = s.append(b)
		case Event:
			b, err = s.append(b)
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %q, number %d: %w", kind, d.Serial, i, err)
		}
	}
	return append(b, "]}"...), nil
}

func (m Metric) append(b []byte) ([]byte, error) {
	if err := checkName("name", m.Name); err != nil {
		return nil, err
	}
	if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		return nil, fmt.Errorf("%s is %v, which JSON cannot say", m.Name, m.Value)
	}

	b = append(b, `{"name":`...)
	b = appendString(b, m.Name)
	b = append(b, `,"value":`...)
	b = appendNumber(b, m.Value)
	return appendTime(b, m.Time)
}

func (e Event) append(b []byte) ([]byte, error) {
	if err := checkName("type", e.Type); err != nil {
		return nil, err
	}

	b = append(b, `{"type":`...)
	b = appendString(b, e.Type)
	return appendTime(b, e.Time)
}

// appendTime ends a sample: seconds since 1970, with a fraction if there is one.
func appendTime(b []byte, t time.Time) ([]byte, error) {
	if t.IsZero() {
		return append(b, '}'), nil
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return nil, fmt.Errorf("the time %s is not between 1970 and 9999", t.UTC().Format(time.RFC3339))
	}

	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, t.Unix(), 10)
	if us := t.Nanosecond() / 1000; us > 0 {
		b = append(b, '.')
		b = append(b, fmt.Sprintf("%06d", us)...)
		b = bytes.TrimRight(b, "0")
	}
	return append(b, '}'), nil
}

// appendNumber writes whole numbers without an exponent, as people and the vendor's
// library do.
func appendNumber(b []byte, x float64) []byte {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return strconv.AppendInt(b, int64(x), 10)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

// appendString writes a JSON string. checkName has let nothing pass that needs more
// than a backslash.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

func checkName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s is empty", what)
	case len(s) > maxName:
		return fmt.Errorf("the %s has %d bytes, the limit is %d", what, len(s), maxName)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s %q is not UTF-8", what, s)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("the %s %q holds a control character", what, s)
		}
	}
	return nil
}

// Compression says whether a batch is compressed with gzip.
type Compression uint8

// Ways to compress.
const (
	CompressAuto Compression = iota // when the message has more than 1,024 bytes
	CompressAlways
	CompressNever
)

// Compress returns a message as it is sent, and whether it is compressed. Nothing
// in a message over MQTT says so but its first two bytes.
func Compress(message []byte, how Compression) (sent []byte, compressed bool) {
	if how == CompressNever || how == CompressAuto && len(message) <= compressAbove {
		return message, false
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(message) // to memory: cannot fail
	w.Close()
	return b.Bytes(), true
}

// Compressed reports whether a message is compressed: nothing else begins with these
// two bytes.
func Compressed(message []byte) bool {
	return bytes.HasPrefix(message, []byte{0x1f, 0x8b})
}

// CheckSize reports a message that is too large for MQTT.
func CheckSize(sent []byte) error {
	if len(sent) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d; split it into batches of fewer devices or samples", ErrTooLarge, len(sent), MaxMessage)
	}
	return nil
}
