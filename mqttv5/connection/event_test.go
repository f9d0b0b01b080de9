package connection

import "testing"

func TestEveryEventHasAName(t *testing.T) {
	for k := Connected; k <= Notice; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d: got no name", k)
		}
	}
}
