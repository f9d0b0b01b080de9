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
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
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
		taken, err := e.deliver(ctx, logsRequest(&b.logs))
		if err != nil {
			return err
		}
		e.stats.LogRecords += taken
	}
	if len(b.metrics.ResourceMetrics) > 0 {
		taken, err := e.deliver(ctx, metricsRequest(&b.metrics))
		if err != nil {
			return err
		}
		e.stats.DataPoints += taken
	}
	b.reset()
	return nil
}

// rejected counts what the receiver did not want of a request that it took.
func (e *Exporter) rejected(r receipt, of int) int {
	rejected := int(min(max(r.rejected, 0), int64(of)))
	if rejected > 0 || r.message != "" {
		e.stats.Rejected += rejected
		e.cfg.Logger.Warn("receiver rejects records", "rejected", rejected, "of", of, "message", fault.Printable(r.message))
	}
	return rejected
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
func (e *Exporter) post(ctx context.Context, path string, request proto.Message) (answer receipt, err error) {
	body, err := proto.Marshal(request)
	if err != nil {
		return receipt{}, fmt.Errorf("export: %w", err)
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
			return receipt{}, ctx.Err()
		}

		e.report.answered(err)
		if err == nil {
			return answer, nil
		}
		delay := max(time.Duration(rand.Float64()*float64(bound)), e.minWait/2)
		bound = min(2*bound, e.maxWait)
		if r := (*refusal)(nil); errors.As(err, &r) {
			if !r.temporary() {
				return receipt{}, e.failed(path, err)
			}
			delay = max(delay, r.after)
		} else if errors.Is(err, errNoReceipt) {
			return receipt{}, e.failed(path, err)
		}
		e.stats.Retries++
		e.report.publish(e.stats)
		// Whoever looks at the last page of a log is to see that it waits.
		if err.Error() != said || time.Since(saidAt) >= sayAgain {
			said, saidAt = err.Error(), time.Now()
			e.cfg.Logger.Warn("cannot export; trying again", "error", err, "in", delay.Round(time.Millisecond))
		}

		if !wait.For(trying, delay) {
			if ctx.Err() != nil {
				return receipt{}, ctx.Err()
			}
			return receipt{}, e.failed(path, fmt.Errorf("nothing was taken for %v: %w", e.giveUp, err))
		}
	}
}

// failed returns the error of a request that is not made again.
func (e *Exporter) failed(path string, err error) error {
	return fmt.Errorf("export to %s: %w; nothing after record %d counts as exported", e.cfg.URL+path, err, max(e.stats.Position, 1)-1)
}

// inTime puts the end of a request's time into words for people.
func inTime(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// try makes one request.
func (e *Exporter) try(ctx context.Context, path string, body []byte) (receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.cfg.URL+path, bytes.NewReader(body))
	if err != nil {
		return receipt{}, err
	}

	for name, value := range e.cfg.Headers {
		req.Header.Set(name, value)
	}
	if e.user != nil && req.Header.Get("Authorization") == "" {
		password, _ := e.user.Password()
		req.SetBasicAuth(e.user.Username(), password)
	}
	req.Header.Set("Content-Type", typeProtobuf)
	req.Header.Set("User-Agent", "ulogkit")

	resp, err := e.cfg.Client.Do(req)
	if err != nil {
		return receipt{}, inTime(err)
	}
	defer resp.Body.Close()

	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	contentType := resp.Header.Get("Content-Type")
	if resp.StatusCode/100 != 2 {
		return receipt{}, &refusal{
			status: resp.StatusCode, message: explanation(contentType, answer), after: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		}
	}
	if err != nil {
		return receipt{}, inTime(err) // perhaps it has the records; they may be sent again
	}
	if e.cfg.AcceptEmpty && len(answer) == 0 {
		return receipt{}, nil
	}
	return parseReceipt(resp.StatusCode, contentType, answer)
}
