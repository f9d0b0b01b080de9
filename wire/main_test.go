package wire

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes sure that no connection, tap or sniffer outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
