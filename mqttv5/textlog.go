package mqttv5

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// TextEntry is one line of text logs (FORMAT section 5).
type TextEntry struct {
	Time  int64        // "t"; seconds since 1970, or what the device counts
	Level format.Level // at most format.LevelCritical
	Text  string       // "m"; bytes that are not UTF-8 become U+FFFD
}

// A batch stays below 128 KiB, as the cloud demands of a message.
const maxTextBatch = DefaultMaxMessage - 1

// textSequence numbers batches: it begins anywhere and only grows, so that the
// cloud can tell a batch that comes twice.
type textSequence struct{ n atomic.Uint64 }

func (s *textSequence) next() uint64 {
	s.n.CompareAndSwap(0, randomUint64()>>33|1) // 31 bits, as others' JSON may hold it in a double
	return s.n.Add(1)
}

type textHeader struct {
	Sequence   uint64 `json:"sequence"`
	DeviceType string `json:"device_type"`
	Version    string `json:"version"`
	Git        string `json:"git"`
	Serial     string `json:"serial"`
}

type textLine struct {
	T  int64  `json:"t"`
	Lv int    `json:"lv"`
	M  string `json:"m"`
}

func deviceHeader(d DeviceInfo, sequence uint64) []byte {
	return jsonLine(textHeader{sequence, d.DeviceType, d.GitVersion, d.GitHash, d.DeviceSerial})
}

// textBatches writes entries as messages of at most limit bytes, each with a
// header line and a sequence number of its own. Where one ends does not depend on
// how long its number is, so that the same entries give the same batches.
func textBatches(dev DeviceInfo, entries []TextEntry, limit int, seq *textSequence) ([][]byte, error) {
	failed := func(err error, class error) error {
		return &Error{Op: "batch text logs of " + dev.DeviceSerial, Class: class, Err: err, Hint: "nothing was sent"}
	}
	if len(entries) == 0 {
		return nil, failed(errors.New("there are no entries"), ErrBadData)
	}
	room := limit - len(deviceHeader(dev, math.MaxUint64))
	var batches [][]byte
	var batch bytes.Buffer
	used := 0
	for i, e := range entries {
		if e.Level > format.LevelCritical {
			return nil, failed(fmt.Errorf("entry %d: level %v is not one of debug to critical", i, e.Level), ErrBadData)
		}
		line := jsonLine(textLine{e.Time, int(e.Level) + 1, e.Text})
		if len(line) > room {
			return nil, failed(fmt.Errorf("entry %d has %d bytes as JSON, a batch takes %d besides its header", i, len(line), room), fault.ErrTooLargeData)
		}
		if used > 0 && used+len(line) > room {
			batches = append(batches, bytes.Clone(batch.Bytes()))
			used = 0
		}
		if used == 0 {
			batch.Reset()
			batch.Write(deviceHeader(dev, seq.next()))
		}
		batch.Write(line)
		used += len(line)
	}
	return append(batches, batch.Bytes()), nil
}

// jsonLine cannot fail: numbers and strings only.
func jsonLine(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b) // ends with a line feed
	e.SetEscapeHTML(false)
	e.Encode(v)
	return b.Bytes()
}

// PublishText publishes text logs in as many batches as it takes, in order, and
// waits for each acknowledgement. It returns the receipts of those that were
// acknowledged. Calling it again with the same entries repeats the record ids, so
// that a consumer can drop what came twice.
func (c *Client) PublishText(ctx context.Context, dev DeviceInfo, entries []TextEntry) ([]Receipt, error) {
	if err := dev.Validate(); err != nil {
		return nil, err
	}
	batches, err := textBatches(dev, entries, min(maxTextBatch, c.cfg.Tuning.MaxMessage), &c.texts)
	if err != nil {
		return nil, err
	}
	var receipts []Receipt
	for i, b := range batches {
		// Its place stands for its sequence number, which another call would not repeat.
		_, lines, _ := bytes.Cut(b, []byte("\n"))
		r, err := c.publish(ctx, dev.DeviceSerial, &link.Message{
			Topic: c.topics.textLog(dev.ApplicationID), Payload: b,
			ID: contentID("text", dev.DeviceSerial, deviceHeader(dev, uint64(i)), lines), ContentType: contentText,
		})
		if err != nil {
			return receipts, fmt.Errorf("batch %d of %d: %w", i+1, len(batches), err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// SubmitText accepts text logs for delivery, in as many batches as it takes; see
// SubmitLog. It returns the ids of those that were accepted.
func (o *Outbox) SubmitText(ctx context.Context, dev DeviceInfo, entries []TextEntry) (ids []string, err error) {
	if err := dev.Validate(); err != nil {
		return nil, err
	}
	batches, err := textBatches(dev, entries, maxTextBatch, &o.texts)
	if err != nil {
		return nil, err
	}
	for i, b := range batches {
		id, err := o.submit(ctx, RecordText, dev, b)
		if err != nil {
			return ids, fmt.Errorf("batch %d of %d: %w", i+1, len(batches), err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// ReadText reads one entry from each line. A line that is a JSON object with "t",
// "lv" and "m" is taken as it is; any other is text of the given time and level.
// Empty lines are left out.
func ReadText(r io.Reader, now time.Time, level format.Level) ([]TextEntry, error) {
	var entries []TextEntry
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), DefaultMaxMessage)
	n := 1 // the line that is read
	for ; s.Scan(); n++ {
		line := bytes.TrimRight(s.Bytes(), "\r")
		if len(line) == 0 {
			continue
		}
		if e, ok := parseTextLine(line); ok {
			entries = append(entries, e)
			continue
		}
		entries = append(entries, TextEntry{now.Unix(), level, string(line)})
	}
	if err := s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d is longer than %d bytes", n, DefaultMaxMessage)
		}
		return nil, &Error{Op: "read text logs", Class: ErrBadData, Err: err}
	}
	return entries, nil
}

func parseTextLine(line []byte) (TextEntry, bool) {
	var l struct {
		T  *int64  `json:"t"`
		Lv int     `json:"lv"`
		M  *string `json:"m"`
	}
	if line[0] != '{' || json.Unmarshal(line, &l) != nil || l.T == nil || l.M == nil || l.Lv < 1 || l.Lv > 5 {
		return TextEntry{}, false
	}
	return TextEntry{*l.T, format.Level(l.Lv - 1), *l.M}, true
}
