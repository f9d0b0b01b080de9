package mqttv5

import (
	"context"
	"strconv"
	"time"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// PublishMetrics publishes numbers that one device measured and waits for the
// acknowledgement. Nothing is sent if the cloud could not use one of them.
func (c *Client) PublishMetrics(ctx context.Context, dev DeviceInfo, metrics []telemetry.Metric) (Receipt, error) {
	return publishReport(ctx, c, dev, metrics)
}

// PublishEvents publishes what happened to one device and waits for the
// acknowledgement.
func (c *Client) PublishEvents(ctx context.Context, dev DeviceInfo, events []telemetry.Event) (Receipt, error) {
	return publishReport(ctx, c, dev, events)
}

// Heartbeat publishes the metric that says that a device is alive, at a time or,
// when that is zero, at the time of arrival.
func (c *Client) Heartbeat(ctx context.Context, dev DeviceInfo, t time.Time) (Receipt, error) {
	return c.PublishMetrics(ctx, dev, []telemetry.Metric{telemetry.Heartbeat(t)})
}

// PublishMetricsBatch publishes the metrics of several devices in one message, which
// the cloud takes as a whole or not at all. The application is that of devices that
// name none. ErrTooLarge means that the batch must be split.
func (c *Client) PublishMetricsBatch(ctx context.Context, application uint32, devices []telemetry.Device[telemetry.Metric], how telemetry.Compression) (Receipt, error) {
	return publishBatch(ctx, c, application, devices, how)
}

// PublishEventsBatch publishes the events of several devices in one message; see
// PublishMetricsBatch.
func (c *Client) PublishEventsBatch(ctx context.Context, application uint32, devices []telemetry.Device[telemetry.Event], how telemetry.Compression) (Receipt, error) {
	return publishBatch(ctx, c, application, devices, how)
}

func publishReport[S telemetry.Sample](ctx context.Context, c *Client, dev DeviceInfo, samples []S) (Receipt, error) {
	if err := dev.Validate(); err != nil {
		return Receipt{}, err
	}
	b, err := telemetry.Encode(dev.DeviceSerial, samples)
	return c.sendReport(ctx, telemetry.KindOf[S](), dev.ApplicationID, dev.DeviceSerial, b, err, telemetry.Timed(samples))
}

func publishBatch[S telemetry.Sample](ctx context.Context, c *Client, application uint32, devices []telemetry.Device[S], how telemetry.Compression) (Receipt, error) {
	b, err := telemetry.EncodeBatch(devices)
	timed := true
	for _, d := range devices {
		timed = timed && telemetry.Timed(d.Samples)
	}
	if err == nil {
		b, _ = telemetry.Compress(b, how)
	}
	return c.sendReport(ctx, telemetry.KindOf[S](), application, "", b, err, timed)
}

// sendReport publishes a message that was encoded, unless that failed.
func (c *Client) sendReport(ctx context.Context, kind telemetry.Kind, application uint32, serial string, b []byte, err error, timed bool) (Receipt, error) {
	if err == nil {
		err = telemetry.CheckSize(b)
	}
	if err != nil {
		return Receipt{}, payload.ReportError("publish "+string(kind), err, "nothing was sent")
	}

	// What has its times is the same however often it is sent. Two heartbeats without
	// a time are two.
	id := randomHex(16)
	if timed {
		id = payload.ContentID(string(kind), serial, []byte(strconv.FormatUint(uint64(application), 10)), []byte{0}, b)
	}
	return c.publish(ctx, serial, c.reportMessage(kind, application, id, b))
}

// reportMessage makes the message of metrics or events.
func (c *Client) reportMessage(kind telemetry.Kind, application uint32, id string, b []byte) *link.Message {
	of := topic.Metrics
	if kind == telemetry.KindEvents {
		of = topic.Events
	}
	m := &link.Message{Topic: c.topic(of, DeviceInfo{ApplicationID: application}), Payload: b, ID: id, ContentType: contentJSON}
	if telemetry.Compressed(b) {
		m.ContentType = contentGzip
	}
	return m
}

// reportOf returns the kind of the report that a record holds.
func reportOf(k outbox.Kind) telemetry.Kind {
	if k == outbox.Events {
		return telemetry.KindEvents
	}
	return telemetry.KindMetrics
}
