package connection

import "testing"

func TestEveryEventHasAName(t *testing.T) {
	for k := Connected; k <= Notice; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d: got the name %q, want one of its own", k, k)
		}
	}
}
