package link

import (
	"bytes"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"
)

// Our encoder against paho's; and the size that is checked is the size that is
// sent.
func TestMessageIsWhatPahoWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Message{
			Topic:       rapid.StringMatching(`[a-z/]{1,300}`).Draw(t, "topic"),
			Payload:     make([]byte, rapid.SampledFrom([]int{0, 1, 100, 127, 128, 16000, 16383, 16384, 131072}).Draw(t, "payload")+rapid.IntRange(0, 60).Draw(t, "more")),
			ID:          rapid.StringMatching(`[0-9a-f]{0,40}`).Draw(t, "id"),
			ContentType: rapid.SampledFrom([]string{"", "application/json", "x"}).Draw(t, "type"),
			ReplyTopic:  rapid.StringMatching(`[a-z]{0,90}`).Draw(t, "reply"),
			Expiry:      rapid.Uint32Max(1).Draw(t, "expiry"),
			Correlation: make([]byte, rapid.IntRange(0, 20).Draw(t, "correlation")),
		}

		props := &packets.Properties{ContentType: m.ContentType, ResponseTopic: m.ReplyTopic, CorrelationData: m.Correlation}
		if m.ID != "" {
			props.User = []packets.User{{Key: PropertyID, Value: m.ID}}
		}
		if m.Expiry > 0 {
			props.MessageExpiry = &m.Expiry
		}
		p := &packets.Publish{Topic: m.Topic, Payload: m.Payload, QoS: 1, PacketID: 0x1234, Properties: props}
		var b bytes.Buffer
		if _, err := p.WriteTo(&b); err != nil {
			t.Fatal(err)
		}

		if b.Len() != m.Size() {
			t.Fatalf("got size %d, want the %d bytes on the wire", m.Size(), b.Len())
		}
		if got := m.appendTo([]byte("x"), 0x1234); !bytes.Equal(got[1:], b.Bytes()) {
			t.Fatalf("got  % x\nwant % x", got[1:], b.Bytes())
		}
	})
}
