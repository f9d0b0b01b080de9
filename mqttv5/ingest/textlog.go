package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// TextLog is a message of log lines, as devices that send text publish it.
// Source: FORMAT section 5.
type TextLog struct {
	Sequence   uint64 `json:"sequence"` // of the message, by the device's count
	DeviceType string `json:"device_type"`
	Version    string `json:"version"`
	Git        string `json:"git"`
	Serial     string `json:"serial"`

	Lines []TextLine `json:"-"`
}

// TextLine is one line of a TextLog.
type TextLine struct {
	// Clock is the device's clock: seconds since 1970 where it knows the day, or
	// else, as a rule, since its start.
	Clock float64
	Level format.Level
	Text  string
}

// Bounds of a clock that counts seconds since 1970. One that shows less than the
// first, 2001-09-09, counts from the start of its device, which would have run for
// 31 years; the second is the year 10000.
const (
	firstDay = 1e9
	lastDay  = 253402300800
)

// Uptime returns the seconds since the device's start, or false where its clock
// counts otherwise.
func (l *TextLine) Uptime() (float64, bool) { return l.Clock, l.Clock >= 0 && l.Clock < firstDay }

// Time returns when the line was logged, or false where the device's clock does
// not know the day.
func (l *TextLine) Time() (time.Time, bool) {
	if !(l.Clock >= firstDay && l.Clock < lastDay) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(l.Clock)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC(), true
}

// ParseTextLog reads a message of log lines: a header with the serial number, then
// lines with "t", "lv" from 1 to 5 and "m". What is wrong with one line is wrong
// with the message; empty lines are skipped.
func ParseTextLog(b []byte) (*TextLog, error) {
	var log *TextLog
	number := 0
	for line := range bytes.Lines(b) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}

		var err error
		if log == nil {
			log, err = parseTextHeader(line)
		} else {
			var l TextLine
			l, err = parseTextLine(line)
			log.Lines = append(log.Lines, l)
		}
		if err != nil {
			return nil, fmt.Errorf("text log, line %d: %w", number, err)
		}
	}

	if log == nil {
		return nil, errors.New("text log: it is empty")
	}
	return log, nil
}

func parseTextHeader(line []byte) (*TextLog, error) {
	log := &TextLog{}
	if err := json.Unmarshal(line, log); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if log.Serial == "" {
		return nil, errors.New("header: serial is missing")
	}
	return log, nil
}

// parseTextLine reads one line of a text log, a JSON object with t, lv and m.
func parseTextLine(line []byte) (TextLine, error) {
	var w struct {
		Time  *float64 `json:"t"`
		Level *int     `json:"lv"`
		Text  *string  `json:"m"`
	}
	if err := json.Unmarshal(line, &w); err != nil {
		return TextLine{}, err
	}
	levels := [...]format.Level{1: format.LevelDebug, 2: format.LevelInfo, 3: format.LevelWarning, 4: format.LevelError, 5: format.LevelCritical}
	switch {
	case w.Time == nil:
		return TextLine{}, errors.New("t is missing")
	case w.Level == nil:
		return TextLine{}, errors.New("lv is missing")
	case *w.Level < 1 || *w.Level >= len(levels):
		return TextLine{}, fmt.Errorf("lv %d is not between 1 and 5", *w.Level)
	case w.Text == nil:
		return TextLine{}, errors.New("m is missing")
	}
	return TextLine{Clock: *w.Time, Level: levels[*w.Level], Text: *w.Text}, nil
}
