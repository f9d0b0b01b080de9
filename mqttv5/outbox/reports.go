package outbox

import (
	"context"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// ManyDevices is the serial number of a record that is a batch of several devices.
// Batches of one application keep their order among each other.
const ManyDevices = "*"

// SubmitReport submits what one device reports, metrics or events. Samples without a
// time get that of now: an outbox may keep them for longer than the cloud could guess.
func SubmitReport[S telemetry.Sample](ctx context.Context, to Acceptor, dev device.Info, samples []S) (id string, err error) {
	kind := kindOf[S]()
	b, err := telemetry.Encode(dev.DeviceSerial, telemetry.At(samples, time.Now()))
	if err != nil {
		return "", badReport(kind, err)
	}
	return to.Submit(ctx, Record{kind, dev, b})
}

// SubmitBatch submits what several devices report, in one message. The application is
// that of devices that name none; samples get a time as in SubmitReport.
func SubmitBatch[S telemetry.Sample](ctx context.Context, to Acceptor, application uint32, devices []telemetry.Device[S], how telemetry.Compression) (id string, err error) {
	now := time.Now()
	timed := make([]telemetry.Device[S], len(devices))
	for i, d := range devices {
		d.Samples = telemetry.At(d.Samples, now)
		timed[i] = d
	}

	kind := kindOf[S]()
	b, err := telemetry.EncodeBatch(timed)
	if err == nil {
		b, _ = telemetry.Compress(b, how)
		err = telemetry.CheckSize(b)
	}
	if err != nil {
		return "", badReport(kind, err)
	}
	return to.Submit(ctx, Record{kind, device.Info{ApplicationID: application, DeviceSerial: ManyDevices}, b})
}

func kindOf[S telemetry.Sample]() Kind {
	if telemetry.KindOf[S]() == telemetry.KindEvents {
		return Events
	}
	return Metrics
}

func badReport(kind Kind, err error) error {
	return payload.ReportError("submit "+kind.String(), err, "nothing was accepted")
}

// checkReport reports what the cloud could not use in a record of this kind.
func checkReport(kind telemetry.Kind, b []byte) error {
	if _, err := telemetry.Parse(kind, b); err != nil {
		return &fault.Error{Op: "check " + string(kind), Class: fault.ErrBadData, Err: err, Hint: "nothing was accepted"}
	}
	return nil
}
