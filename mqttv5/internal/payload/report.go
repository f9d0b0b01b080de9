package payload

import (
	"errors"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// ReportError gives the error of metrics or events that could not be encoded its
// class.
func ReportError(op string, err error, hint string) error {
	e := &fault.Error{Op: op, Class: fault.ErrBadData, Err: err, Hint: hint}
	if errors.Is(err, telemetry.ErrTooLarge) {
		e.Class, e.Code = fault.ErrTooLargeData, fault.ReasonPacketTooLarge
	}
	return e
}
