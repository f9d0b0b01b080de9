package natssink

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

const (
	headerKey    = nats.MsgIdHdr
	headerKind   = "Ulogkit-Kind"
	headerTime   = "Ulogkit-Time"
	headerTopic  = "Ulogkit-Topic"
	headerID     = "Ulogkit-Id"
	headerReason = "Ulogkit-Reason"

	// Longest reason that is kept, in bytes.
	maxReason = 1 << 10
)

var errForeign = errors.New("not a message of ulogkit")

// message returns a record as a message. Its data is the record's payload itself.
func message(subject string, r *ingest.Record) *nats.Msg {
	h := nats.Header{
		headerKey:   {r.Key.String()},
		headerKind:  {strconv.Itoa(int(r.Kind))},
		headerTime:  {strconv.FormatInt(r.Time.UnixNano(), 10)},
		headerTopic: {escape(r.Topic)},
	}
	if r.ID != "" {
		h[headerID] = []string{escape(r.ID)}
	}
	if r.Reason != "" {
		h[headerReason] = []string{escape(r.Reason[:min(len(r.Reason), maxReason)])}
	}
	return &nats.Msg{Subject: subject + "." + r.Kind.String(), Header: h, Data: r.Payload}
}

// record undoes message.
func record(seq uint64, h nats.Header, data []byte) (ingest.Record, error) {
	r := ingest.Record{Sequence: seq, Payload: data}
	key, err := hex.DecodeString(h.Get(headerKey))
	if err != nil || len(key) != len(r.Key) {
		return ingest.Record{}, fmt.Errorf("%w: its id is no key", errForeign)
	}
	r.Key = ingest.Key(key)

	ns, err := strconv.ParseInt(h.Get(headerTime), 10, 64)
	if err != nil {
		return ingest.Record{}, fmt.Errorf("%w: no time", errForeign)
	}
	r.Time = time.Unix(0, ns)

	kind, err := strconv.ParseUint(h.Get(headerKind), 10, 8)
	if err != nil {
		return ingest.Record{}, fmt.Errorf("%w: no kind", errForeign)
	}
	r.Kind = ingest.Kind(kind)
	for name, s := range map[string]*string{headerTopic: &r.Topic, headerID: &r.ID, headerReason: &r.Reason} {
		if *s, err = url.PathUnescape(h.Get(name)); err != nil {
			return ingest.Record{}, fmt.Errorf("%w: header %s: %w", errForeign, name, err)
		}
	}
	return r, nil
}

// escape writes what a header would change or break, controls, spaces and what is
// not ASCII, as %XX. Topics and ids come from devices.
func escape(s string) string {
	for i := range len(s) {
		if !plain(s[i]) {
			b := append(make([]byte, 0, len(s)+16), s[:i]...)
			for ; i < len(s); i++ {
				if plain(s[i]) {
					b = append(b, s[i])
				} else {
					b = fmt.Appendf(b, "%%%02X", s[i])
				}
			}
			return string(b)
		}
	}
	return s
}

func plain(c byte) bool { return c > ' ' && c < 0x7f && c != '%' }
