package payload

import (
	"bytes"
	"encoding/json"

	"github.com/ulogkit/ulogkit/format"
)

// LogLevel returns the highest level of the records in a log. Metrics count as info;
// a log without records, or that cannot be read, is debug.
func LogLevel(buf []byte) format.Level {
	l, _, err := format.ParseLog(buf)
	if err != nil {
		return format.LevelDebug
	}
	highest := format.LevelDebug
	frames := l.Frames()
	for frames.Next() {
		p, err := format.ParsePayload(frames.Frame().Payload)
		if err != nil {
			continue
		}
		level := p.Level()
		if level > format.LevelCritical {
			level = format.LevelInfo
		}
		highest = max(highest, level)
	}
	return highest
}

// TextLevel is LogLevel of a batch of text.
func TextLevel(batch []byte) format.Level {
	highest := format.LevelDebug
	for line := range bytes.Lines(batch) {
		var l textLine
		if json.Unmarshal(line, &l) == nil && l.Lv >= 1 && l.Lv <= int(format.LevelCritical)+1 {
			highest = max(highest, format.Level(l.Lv-1))
		}
	}
	return highest
}
