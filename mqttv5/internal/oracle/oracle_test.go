package oracle

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOracle(t *testing.T) {
	l := startLibrary(t, newest)
	for _, c := range []struct {
		name  string
		check func(*testing.T, *library)
	}{
		{"checksums", testChecksums},
		{"tokens", testTokens},
		{"samples", testSamples},
		{"boot replies", testBootReplies},
		{"log configurations", testLogConfigs},
		{"stand-in", func(t *testing.T, l *library) { testStandIn(t, l, newest) }},
		{"bridge", testBridge},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, l) })
	}
}

// The version that the first gateways ran knows no group, no metrics and no log
// configuration.
func TestOldest(t *testing.T) { testStandIn(t, startLibrary(t, oldest), oldest) }
