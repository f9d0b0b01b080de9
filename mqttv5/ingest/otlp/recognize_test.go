package otlp

import (
	"encoding/json"
	"testing"
)

func TestRecognizesPositions(t *testing.T) {
	for _, p := range []position{{Version: 1, Next: 3}, {Version: 1, Sink: "a", SinkName: "b", Receiver: "c", Next: 3}, {Version: 1, Receiver: "c"}} {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if !RecognizePosition(b) || !RecognizePosition(append([]byte(" \n"), b...)) {
			t.Errorf("%s: got no position, want one", b)
		}
	}
	for _, text := range []string{"", "{}", `{"v":"1","next":3}`, `{"v":1,"version":3}`, `[{"v":1,"next":3}]`} {
		if RecognizePosition([]byte(text)) {
			t.Errorf("%q: got a position, want none", text)
		}
	}
}
