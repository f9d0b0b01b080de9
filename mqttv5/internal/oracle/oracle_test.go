package oracle

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOracle(t *testing.T) {
	l := startLibrary(t, newest)
	for name, check := range map[string]func(*testing.T, *library){
		"checksums": testChecksums,
		"tokens":    testTokens,
		"samples":   testSamples,
	} {
		t.Run(name, func(t *testing.T) { check(t, l) })
	}
}
