package capture

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ulogkit/ulogkit/wire"
)

// However the objects come, each gets the keys once.
func TestEachRecordGetsItsKeysOnce(t *testing.T) {
	const head = `{"time":"2026-11-24T08:00:00Z","source":"invalid AddrPort","destination":"invalid AddrPort","topic":"a<b","kind":"record","packet_id":7,`
	const in, want = "{\"v\":1}\n{\"v\":2,\"text\":\"{\"}\n", head + "\"v\":1}\n" + head + "\"v\":2,\"text\":\"{\"}\n"
	m := &wire.Message{Time: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), Topic: "a<b", PacketID: 7}
	for name, from := range map[string]io.Reader{
		"whole": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in)), "in halves": iotest.HalfReader(strings.NewReader(in)),
	} {
		var out bytes.Buffer
		w, err := NewRecords(&out, m)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(w, from); n != int64(len(in)) || err != nil {
			t.Errorf("%s: got %d bytes, error %v; want %d, none", name, n, err, len(in))
		}
		if out.String() != want {
			t.Errorf("%s: wrote\n%swant\n%s", name, &out, want)
		}
	}
}
