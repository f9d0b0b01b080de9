package outbox

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"fill": childFill, "drop": childDrop, "hold": childHold, "submit": childSubmit, "full-pick-up": childFullPickUp, "compact": childCompact})
	goleak.VerifyTestMain(m)
}

func openOutbox(t testing.TB, dir string) *Outbox {
	t.Helper()
	o, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// submitText accepts one text record of a device.
func submitText(t testing.TB, o *Outbox, device int, text string) (id string) {
	t.Helper()
	ids, err := o.SubmitText(context.Background(), devicetest.Info(device), []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// lease takes the next record, whose turn must have come.
func lease(t testing.TB, o *Outbox) *Lease {
	t.Helper()
	l, err := o.TryLease()
	if err != nil || l == nil {
		t.Fatalf("got %v, %v, want a lease", l, err)
	}
	return l
}

// none checks that no record's turn has come.
func none(t testing.TB, o *Outbox) {
	t.Helper()
	if l, err := o.TryLease(); l != nil || err != nil {
		t.Errorf("got %v, %v, want no lease", l, err)
	}
}

var errUnreadable = &fault.Error{Op: "publish", Class: fault.ErrRefused, Code: fault.ReasonPayloadFormatInvalid}

// parkAll parks what waits.
func parkAll(t testing.TB, o *Outbox) {
	t.Helper()
	for o.Stats().Waiting > 0 {
		lease(t, o).Park(errUnreadable)
	}
}
