package otlp

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// receipt is what an answer says was done with a request.
type receipt struct {
	rejected int64
	message  string
}

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

// errNoReceipt is about an answer with a good status that no receiver of this
// protocol gives: a login page, for instance.
var errNoReceipt = errors.New("the answer is no receipt of OTLP")

// parseReceipt reads the answer to a request that was answered with status 2xx. It
// must be what its content type says it is.
func parseReceipt(status int, contentType string, body []byte) (receipt, error) {
	if status == http.StatusNoContent {
		return receipt{}, nil // such an answer has neither type nor body
	}

	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil {
		switch kind {
		case typeProtobuf:
			if r, ok := protobufReceipt(body); ok {
				return r, nil
			}
		case typeJSON:
			if r, ok := jsonReceipt(body); ok {
				return r, nil
			}
		}
	}

	if len(body) == 0 && contentType == "" {
		return receipt{}, fmt.Errorf("%w: it is empty and has no content type; where the receiver is known to answer so, --accept-empty takes that", errNoReceipt)
	}
	return receipt{}, fmt.Errorf("%w: it has the content type %q and begins %q; is this the URL of a receiver, with no login page or proxy in front of it?",
		errNoReceipt, fault.Printable(contentType), firstLine(body))
}

// protobufReceipt reads an ExportLogsServiceResponse or an
// ExportMetricsServiceResponse, which are alike: field 1 is a message whose field 1
// is how many were rejected and field 2 why.
func protobufReceipt(b []byte) (r receipt, ok bool) {
	outer, ok := parseMessage(b)
	if !ok || outer.number[1] != 0 { // a number there is the code of a Status
		return receipt{}, false
	}
	inner, ok := parseMessage(outer.data[1])
	if !ok {
		return receipt{}, false
	}
	return receipt{int64(inner.number[1]), string(inner.data[2])}, true
}

// message holds the last value of the fields 1 and 2 of a protobuf message, as a
// number and as bytes.
type message struct {
	number [3]uint64
	data   [3][]byte
}

// parseMessage reads a whole message, and reports whether it is one.
func parseMessage(b []byte) (m message, ok bool) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return message{}, false
		}
		b = b[n:]
		known := int(num) < len(m.data)
		switch {
		case known && typ == protowire.VarintType:
			m.number[num], n = protowire.ConsumeVarint(b)
		case known && typ == protowire.BytesType:
			m.data[num], n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}

		if n < 0 {
			return message{}, false
		}
		b = b[n:]
	}
	return m, true
}

// jsonReceipt reads the same in JSON, where 64-bit numbers may be strings. Members that
// are not known are passed over, as the protocol wants; but an object that has none of
// the answer's and tells of a failure is something else's: that of a gateway, say, which
// answers {"error":"log in"} with a good status.
func jsonReceipt(b []byte) (r receipt, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil || members == nil {
		return receipt{}, false
	}
	partial, is := members["partialSuccess"]
	if !is {
		partial, is = members["partial_success"] // the name in the specification's own files
	}
	if !is {
		for _, name := range [...]string{"error", "errors", "code", "message"} {
			if _, fails := members[name]; fails {
				return receipt{}, false
			}
		}
		return receipt{}, true
	}

	var p map[string]json.RawMessage // null is as good as nothing
	if json.Unmarshal(partial, &p) != nil {
		return receipt{}, false
	}
	for _, name := range [...]string{"rejectedLogRecords", "rejected_log_records", "rejectedDataPoints", "rejected_data_points"} {
		raw := p[name]
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
		if err != nil {
			return receipt{}, false
		}
		r.rejected = max(r.rejected, n) // an answer is about one of them
	}

	for _, name := range [...]string{"errorMessage", "error_message"} {
		if raw := p[name]; len(raw) > 0 && json.Unmarshal(raw, &r.message) != nil {
			return receipt{}, false
		}
	}
	return r, true
}

// explanation returns what the body of a refusal says: the message of a Status, as
// the protocol wants, or the first line of anything else.
func explanation(contentType string, body []byte) string {
	switch kind, _, _ := mime.ParseMediaType(contentType); kind {
	case typeProtobuf:
		if m, ok := parseMessage(body); ok && len(m.data[2]) > 0 {
			return fault.Printable(string(m.data[2]))
		}
	case typeJSON:
		var m struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(body, &m) == nil && m.Message != "" {
			return fault.Printable(m.Message)
		}
	}
	return firstLine(body)
}

// firstLine returns the first line with something in it, fit to be shown.
func firstLine(b []byte) string {
	for line := range strings.Lines(string(b[:min(len(b), 4<<10)])) {
		if line = fault.Printable(line); line != "" {
			return line
		}
	}
	return ""
}

// retryAfter reads the header of that name: seconds, or a date. It is 0 where that
// is none, or in the past, and maxRetryAfter at most.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		return min(time.Duration(min(n, uint64(maxRetryAfter/time.Second)))*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has a JSON form
	}
	return string(b)
}
