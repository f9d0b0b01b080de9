package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// DefaultBaseURL is where the cloud takes reports over HTTP.
const DefaultBaseURL = "https://api.ulogger.ai"

// Limits of the talk with the cloud.
const (
	attemptTimeout = 30 * time.Second
	maxAnswer      = 64 << 10 // bytes that are read of an answer
	maxShown       = 300      // bytes of an answer that an error shows
	maxRetryAfter  = 10 * time.Minute
)

// ErrUnanswered is wrapped by the error about a request that went out whole and got
// no answer: the cloud may have the report or not. It is not sent again.
var ErrUnanswered = errors.New("no answer; the cloud may have the report or not")

// API sends reports over HTTP. Its zero value plus Token is usable.
type API struct {
	// Token is the API token of the account, "ulg_...". It appears in no error.
	// Default: none, required.
	Token string

	// BaseURL is the address of the API, with TLS. Default: DefaultBaseURL.
	BaseURL string

	// GroupID is the group that the devices belong to. Default: "0".
	GroupID string

	// Attempts is how often one report is sent, at most, while the cloud answers
	// that it has no time: 429 or 5xx. Default: 5.
	Attempts int

	// Pause is the wait before the second attempt; each further one is twice as
	// long, unless the cloud says how long it is to be. Default: 1 s.
	Pause time.Duration

	// Transport makes the requests. Default: http.DefaultTransport.
	Transport http.RoundTripper
}

// RefusedError is an answer that is no success.
type RefusedError struct {
	Status int    // HTTP status
	Answer string // the beginning of what the cloud said

	retryAfter time.Duration // what the cloud asked for; negative: nothing
}

// Error implements error.
func (e *RefusedError) Error() string {
	s := fmt.Sprintf("the cloud answered %d %s", e.Status, http.StatusText(e.Status))
	switch {
	case e.Status >= 300 && e.Status < 400:
		return s + ", a redirect, which is not followed: the token would go along"
	case e.Status < 300:
		s += " without success"
	}
	if e.Answer != "" {
		s += fmt.Sprintf(": %q", e.Answer)
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		s += "; check the API token"
	}
	return s
}

// temporary reports whether the same request may succeed later. A 2xx is never sent
// again, whatever stands in it: the report may have been stored.
func (e *RefusedError) temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// Send posts a message that [Encode] or [EncodeBatch] wrote. When the cloud has no
// time it tries again, until it has used its attempts or ctx ends.
func (a *API) Send(ctx context.Context, kind Kind, application uint32, message []byte, how Compression) error {
	if err := a.send(ctx, kind, application, message, how); err != nil {
		return fmt.Errorf("send %s over HTTP: %w", kind, err)
	}
	return nil
}

// send is Send; its errors do not say yet what was sent.
func (a *API) send(ctx context.Context, kind Kind, application uint32, message []byte, how Compression) error {
	address, err := a.address(kind)
	if err != nil {
		return err
	}
	if len(message) < 2 || message[0] != '{' {
		return fmt.Errorf("%w: no JSON object", ErrInvalid)
	}

	group := a.GroupID
	if group == "" {
		group = "0"
	}
	// Both are texts; the library sends them so.
	body := fmt.Appendf(nil, `{"app_id":"%d","group_id":`, application)
	body = append(appendString(body, group), ',')
	body, compressed := Compress(append(body, message[1:]...), how)

	attempts, pause := a.Attempts, a.Pause
	if attempts <= 0 {
		attempts = 5
	}
	if pause <= 0 {
		pause = time.Second
	}
	for n := 1; ; n++ {
		err := a.post(ctx, address, body, compressed)
		delay := pause/2 + rand.N(pause/2+1)
		pause = min(2*pause, time.Minute)

		var refused *RefusedError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused):
			if !refused.temporary() {
				return err
			}
			if refused.retryAfter >= 0 {
				delay = refused.retryAfter
			}
		case errors.Is(err, ErrUnanswered):
			return err
		}

		if n == attempts {
			return fmt.Errorf("%d attempts: %w", n, err)
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < delay {
			return err // it would only wait for the end
		}
		if !wait.For(ctx, delay) {
			if cause := context.Cause(ctx); !errors.Is(err, cause) {
				err = fmt.Errorf("%w: %w", err, cause)
			}
			return err
		}
	}
}

// address returns where reports of a kind go.
func (a *API) address(kind Kind) (string, error) {
	base := a.BaseURL
	if base == "" {
		base = DefaultBaseURL
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("the address of the API is no URL")
	case u.Scheme != "https":
		return "", fmt.Errorf("the address of the API begins with %s: the token goes over https only", u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("the address of the API has more than a host and a path")
	case a.Token == "":
		return "", errors.New("there is no API token")
	case strings.ContainsFunc(a.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("the API token holds a blank or what is no ASCII")
	}
	return u.JoinPath("publish", string(kind)).String(), nil
}

// post makes one attempt.
func (a *API) post(ctx context.Context, address string, body []byte, compressed bool) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()

	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.Token)
	request.Header.Set("Content-Type", "application/json")
	if compressed {
		request.Header.Set("Content-Encoding", "gzip")
	}

	client := http.Client{
		Transport:     a.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		if written.Load() {
			return fmt.Errorf("%w: %w", ErrUnanswered, err)
		}
		return err
	}
	defer response.Body.Close()
	answer, readErr := io.ReadAll(io.LimitReader(response.Body, maxAnswer))

	var verdict struct {
		Success bool `json:"success"`
	}
	ok := response.StatusCode >= 200 && response.StatusCode < 300
	if ok && readErr == nil && json.Unmarshal(answer, &verdict) == nil && verdict.Success {
		return nil
	}
	return &RefusedError{
		Status:     response.StatusCode,
		Answer:     string(answer[:min(len(answer), maxShown)]),
		retryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads the header of this name: seconds, or a date (RFC 9110, section
// 10.2.3). It returns -1 when it says nothing that can be used.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return -1
	}
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return -1
}
