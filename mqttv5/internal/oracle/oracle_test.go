package oracle

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOursAgreesWithTheNewestLibrary(t *testing.T) {
	l := startLibrary(t, newest)
	for _, c := range []struct {
		name  string
		check func(*testing.T, *library)
	}{
		{"names", testNames},
		{"checksums", testChecksums},
		{"tokens", testTokens},
		{"epochs", testEpochs},
		{"samples", testSamples},
		{"boot replies", testBootReplies},
		{"log configurations", testLogConfigs},
		{"stand-in", func(t *testing.T, l *library) { testStandIn(t, l, newest) }},
		{"bridge", testBridge},
		{"messages", func(t *testing.T, l *library) { testMessages(t, l, newest) }},
		{"versions", testVersions},
		{"odd uploads", testOddUploads},
		{"kept log configuration", testKeptLogConfig},
		{"odd reports", testOddReports},
		{"batch sizes", testBatchSizes},
		{"HTTP", testHTTP},
		{"token file", testTokenFile},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, l) })
	}
}

// The version that the first gateways ran knows no group, no metrics and no log
// configuration.
func TestOursAgreesWithTheOldestLibrary(t *testing.T) {
	l := startLibrary(t, oldest)
	t.Run("names", func(t *testing.T) { testNames(t, l) })
	t.Run("stand-in", func(t *testing.T) { testStandIn(t, l, oldest) })
	t.Run("messages", func(t *testing.T) { testMessages(t, l, oldest) })
}
