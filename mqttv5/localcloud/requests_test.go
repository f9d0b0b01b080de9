package localcloud

import (
	"path/filepath"
	"strings"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2/packets"
)

// Whatever a client publishes, on whatever topic, is taken, refused or answered: it
// ends nothing, gets no name that leaves the folder, and a token is one that is known
// afterwards.
func FuzzRequests(f *testing.F) {
	for topic, payload := range map[string]string{
		"boot/v0/7/42":             `{"device_type":"d","git":"g","serial":"SN-1","version":"1"}`,
		"boot/v0/7/g/42":           `{"serial":"../../x"}`,
		"boot/v0/7/43":             `{"serial":7}`,
		"upload/v0/firmware/7/dev": `{"upload_id":5,"device_type":"dev","git_hash":"g","version_number":"1","customer_id":7,"application_id":42,"branch":"b"}`,
		"upload/v0/firmware/8/dev": `{"upload_id":"5","customer_id":"x"}`,
		"binlog/v0/7/42":           "\x03\x00\x00\x00\x00",
		"core-dump/v0/7":           "x",
		"logs/v0/7/42":             "{\"sequence\":1,\"serial\":\"s\"}\n{\"t\":1,\"lv\":2,\"m\":\"x\"}\n",
		"logs/v0/7/99999999999":    "{\"sequence\":1}\n",
		"metrics/v0/7/0/42":        `{"device_serial":"S","metrics":[{"name":"t","value":1}]}`,
		"events/v0/7/42":           `{"devices":[{"device_serial":"S","events":[{"type":"t"}]}]}`,
		"config/v0/7/42/SN-1":      `{"log_level":1}`,
		"#":                        "",
		"a/\x00/b":                 "[",
	} {
		f.Add(topic, []byte(payload), "id", []byte("c"))
	}
	c, err := Start(f.Context(), Config{Plaintext: true, CustomerID: "7", KeepBytes: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	f.Fuzz(func(t *testing.T, topic string, payload []byte, id string, correlation []byte) {
		if len(payload) > 64<<10 || len(topic) > 1<<10 {
			return // as the broker refuses them
		}
		before := len(c.Received())
		pk := mochi.Packet{TopicName: topic, Payload: payload, Properties: mochi.Properties{
			User: []mochi.UserProperty{{Key: "ulogkit-id", Val: id}}, CorrelationData: correlation,
		}}
		c.allowed(topic, false)
		c.allowed(topic, true)
		if c.receive(pk) == nil {
			c.answer(pk)
		}

		all := c.Received()
		if len(all) <= before {
			return
		}
		r := all[len(all)-1]
		if name := fileName(1, &r); name != filepath.Base(name) || strings.ContainsAny(name, "/\\\x00\n") || len(name) > 200 {
			t.Fatalf("%q of %s: got file %q, want a plain name of at most 200 bytes", r.DeviceSerial, topic, name)
		}
		if _, known := c.issued.owner(r.Token); r.Kind == KindLog && r.Err == nil && !known {
			t.Fatalf("got a log of token %d taken as good, want an error: nobody got that token", r.Token)
		}
	})
}
