package payload

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// TextEntry is one line of text logs (FORMAT section 5).
type TextEntry struct {
	Time  int64        // "t"; seconds since 1970, or what the device counts
	Level format.Level // at most format.LevelCritical
	Text  string       // "m"; bytes that are not UTF-8 become U+FFFD
}

// MaxText is the size of the largest batch: below 128 KiB, as the cloud demands of
// a message.
const MaxText = Max - 1

// Sequence numbers batches: it begins anywhere and only grows, so that the cloud can
// tell a batch that comes twice. The zero value is ready.
type Sequence struct{ n atomic.Uint64 }

// Next returns the next number.
func (s *Sequence) Next() uint64 {
	var b [8]byte
	rand.Read(b[:])                                               // never fails, by its documentation
	s.n.CompareAndSwap(0, binary.LittleEndian.Uint64(b[:])>>33|1) // 31 bits, as others' JSON may hold it in a double
	return s.n.Add(1)
}

// StartAt makes the number after n the next one.
func (s *Sequence) StartAt(n uint64) { s.n.Store(n) }

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

// TextHeader returns the first line of a batch.
func TextHeader(d device.Info, sequence uint64) []byte {
	return jsonLine(textHeader{sequence, d.DeviceType, d.GitVersion, d.GitHash, d.DeviceSerial})
}

// TextBatches writes entries as messages of at most limit bytes, each with a
// header line and a sequence number of its own. Where one ends does not depend on
// how long its number is, so that the same entries give the same batches.
func TextBatches(dev device.Info, entries []TextEntry, limit int, seq *Sequence) ([][]byte, error) {
	failed := func(err error, class error) error {
		return &fault.Error{Op: "batch text logs of " + dev.DeviceSerial, Class: class, Err: err, Hint: "nothing was sent"}
	}
	if len(entries) == 0 {
		return nil, failed(errors.New("there are no entries"), fault.ErrBadData)
	}

	room := limit - len(TextHeader(dev, math.MaxUint64))
	var batches [][]byte
	var batch bytes.Buffer
	used := 0
	for i, e := range entries {
		if e.Level > format.LevelCritical {
			return nil, failed(fmt.Errorf("entry %d: level %v is not one of debug to critical", i, e.Level), fault.ErrBadData)
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
			batch.Write(TextHeader(dev, seq.Next()))
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

// ReadText reads one entry from each line. A line that is a JSON object with "t",
// "lv" and "m" is taken as it is; any other is text of the given time and level.
// Empty lines are left out.
func ReadText(r io.Reader, now time.Time, level format.Level) ([]TextEntry, error) {
	var entries []TextEntry
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), Max)
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
			err = fmt.Errorf("line %d is longer than %d bytes", n, Max)
		}
		return nil, &fault.Error{Op: "read text logs", Class: fault.ErrBadData, Err: err}
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
