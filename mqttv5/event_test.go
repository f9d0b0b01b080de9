package mqttv5

import "testing"

func TestEveryEventHasAName(t *testing.T) {
	for k := EventConnected; k <= EventNotice; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d: got no name", k)
		}
	}
}
