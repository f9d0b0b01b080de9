package mqttv5

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// TextEntry is one line of text logs (FORMAT section 5): Time, in seconds since 1970
// or what the device counts, Level, at most format.LevelCritical, and Text, of which
// bytes that are not UTF-8 become U+FFFD.
type TextEntry = payload.TextEntry

// ReadText reads one entry from each line. A line that is a JSON object with "t",
// "lv" and "m" is taken as it is; any other is text of the given time and level.
// Empty lines are left out.
func ReadText(r io.Reader, now time.Time, level format.Level) ([]TextEntry, error) {
	return payload.ReadText(r, now, level)
}

// PublishText publishes text logs in as many batches as it takes, in order, and
// waits for each acknowledgement. It returns the receipts of those that were
// acknowledged. Calling it again with the same entries repeats the record ids, so
// that a consumer can drop what came twice.
func (c *Client) PublishText(ctx context.Context, dev DeviceInfo, entries []TextEntry) ([]Receipt, error) {
	if err := dev.Validate(); err != nil {
		return nil, err
	}

	batches, err := payload.TextBatches(dev, entries, min(payload.MaxText, c.cfg.Tuning.MaxMessage), &c.texts)
	if err != nil {
		return nil, err
	}

	var receipts []Receipt
	for i, b := range batches {
		// Its place stands for its sequence number, which another call would not repeat.
		_, lines, _ := bytes.Cut(b, []byte("\n"))
		r, err := c.publish(ctx, dev.DeviceSerial, &link.Message{
			Topic: c.topic(topic.TextLog, dev), Payload: b,
			ID: payload.ContentID("text", dev.DeviceSerial, payload.TextHeader(dev, uint64(i)), lines), ContentType: contentText,
		})
		if err != nil {
			return receipts, fmt.Errorf("batch %d of %d: %w", i+1, len(batches), err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}
