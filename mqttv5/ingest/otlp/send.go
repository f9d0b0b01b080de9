package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 1 << 20

// maxRetryAfter is the longest wait that a receiver can ask for.
const maxRetryAfter = 10 * time.Minute

// sayAgain is after how long the log tells again of a failure that it told of.
const sayAgain = time.Minute

// send sends the batch and empties it.
func (e *Exporter) send(ctx context.Context) error {
	b := &e.batch
	if len(b.logs.ResourceLogs) > 0 {
		answer, err := e.post(ctx, "/v1/logs", &b.logs)
		if err != nil {
			return err
		}
		e.stats.LogRecords += b.records - e.rejected(answer, b.records)
	}
	if len(b.metrics.ResourceMetrics) > 0 {
		answer, err := e.post(ctx, "/v1/metrics", &b.metrics)
		if err != nil {
			return err
		}
		e.stats.DataPoints += b.points - e.rejected(answer, b.points)
	}
	b.reset()
	return nil
}

// rejected counts what the receiver did not want.
func (e *Exporter) rejected(answer []byte, of int) int {
	n, message := partialSuccess(answer)
	rejected := int(min(max(n, 0), int64(of)))
	if rejected > 0 || message != "" {
		e.stats.Rejected += rejected
		e.cfg.Logger.Warn("receiver rejects records", "rejected", rejected, "of", of, "message", fault.Printable(message))
	}
	return rejected
}

// partialSuccess reads an ExportLogsServiceResponse or an
// ExportMetricsServiceResponse, which are alike: field 1 is a message whose field 1
// is how many were rejected and field 2 why. What cannot be read says nothing.
func partialSuccess(b []byte) (rejected int64, message string) {
	_, inner := field(b, 1)
	n, _ := field(inner, 1)
	_, text := field(inner, 2)
	return int64(n), string(text)
}

// field returns the last field of this number in a message.
func field(b []byte, want protowire.Number) (number uint64, data []byte) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, nil
		}
		b = b[n:]
		switch {
		case num == want && typ == protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case num == want && typ == protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return 0, nil
		}
		b = b[n:]
	}
	return number, data
}

// refusal is an answer that is no success.
type refusal struct {
	status  int
	message string
	after   time.Duration // of Retry-After; 0 if there was none
}

func (r *refusal) Error() string {
	s := "receiver answered " + strconv.Itoa(r.status) + " " + http.StatusText(r.status)
	if r.message != "" {
		s += ": " + r.message
	}
	return s
}

// temporary reports whether the specification allows to send the request again
// (OTLP 1.11, "Failures").
func (r *refusal) temporary() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// post makes one request until it succeeds, is refused for good, ctx ends, or it is
// time to give up.
func (e *Exporter) post(ctx context.Context, path string, request proto.Message) (answer []byte, err error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	trying, cancel := ctx, context.CancelFunc(func() {})
	if e.giveUp > 0 {
		trying, cancel = context.WithTimeout(ctx, e.giveUp)
	}
	defer cancel()
	bound := e.minWait
	said, saidAt := "", time.Time{}
	for {
		answer, err := e.try(trying, path, body)
		if ctx.Err() != nil && err != nil {
			return nil, ctx.Err()
		}
		e.report.answered(err)
		if err == nil {
			return answer, nil
		}
		wait := max(time.Duration(rand.Float64()*float64(bound)), e.minWait/2)
		bound = min(2*bound, e.maxWait)
		if r := (*refusal)(nil); errors.As(err, &r) {
			if !r.temporary() {
				return nil, e.failed(path, err)
			}
			wait = max(wait, r.after)
		}
		e.stats.Retries++
		e.report.publish(e.stats)
		// Whoever looks at the last page of a log is to see that it waits.
		if err.Error() != said || time.Since(saidAt) >= sayAgain {
			said, saidAt = err.Error(), time.Now()
			e.cfg.Logger.Warn("cannot export; trying again", "error", err, "in", wait.Round(time.Millisecond))
		}
		if sleep(trying, wait) != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, e.failed(path, fmt.Errorf("nothing was taken for %v: %w", e.giveUp, err))
		}
	}
}

// failed returns the error of a request that is not made again.
func (e *Exporter) failed(path string, err error) error {
	return fmt.Errorf("export to %s: %w; nothing after record %d counts as exported", e.cfg.URL+path, err, max(e.stats.Position, 1)-1)
}

// try makes one request.
func (e *Exporter) try(ctx context.Context, path string, body []byte) (answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.cfg.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range e.cfg.Headers {
		req.Header.Set(name, value)
	}
	if e.user != nil && req.Header.Get("Authorization") == "" {
		password, _ := e.user.Password()
		req.SetBasicAuth(e.user.Username(), password)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "ulogkit")
	resp, err := e.cfg.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		r := &refusal{status: resp.StatusCode}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			r.message = fault.Printable(string(answer))
		}
		if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 32); err == nil {
			r.after = min(time.Duration(n)*time.Second, maxRetryAfter)
		}
		return nil, r
	}
	if err != nil {
		return nil, err // perhaps it has the records; they may be sent again
	}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf") {
		return nil, nil // a success without details
	}
	return answer, nil
}
