// Package presigned stores a file at an address that the cloud has signed: one PUT
// over HTTPS. The address is a secret; no error shows more of it than its host.
package presigned

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// File is what is stored.
type File struct {
	Body io.ReaderAt
	Size int64 // length in bytes

	// Progress is told how many bytes have been sent. Default: nobody.
	Progress func(sent, total int64)
}

// Transport returns what carries one request through the proxy of the connection to
// the broker, and trusts what that trusts and the system's roots. The configuration
// has been checked.
func Transport(cfg link.Config) (*http.Transport, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.Credentials.CAFile != "" {
		var err error
		if t.RootCAs, err = x509.SystemCertPool(); err != nil {
			t.RootCAs = x509.NewCertPool()
		}
		if _, err := link.AppendRoots(t.RootCAs, cfg.Credentials.CAFile); err != nil {
			return nil, err
		}
	}

	proxy := http.ProxyFromEnvironment
	if cfg.Tuning.Proxy != "" {
		u, _ := cfg.ProxyURL()
		proxy = http.ProxyURL(u)
	}

	return &http.Transport{
		Proxy: proxy, TLSClientConfig: t,
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: time.Minute,
		DisableKeepAlives: true,
	}, nil
}

// idle is for how long a server may take no byte of the file: a slow link fills a
// buffer of the system, of which some is free again after minutes.
const idle = 5 * time.Minute

var errIdle = errors.New("the server takes no more of the file")

// Put makes one attempt and says whether another, with a new address, may succeed.
//
// It uses no http.Client: that reads where a redirection leads, though it may not
// follow it, and shows in its errors what a server put there, which may be the address.
func Put(ctx context.Context, over http.RoundTripper, address *url.URL, f File) (again bool, err error) {
	return put(ctx, over, address, f, idle)
}

func put(ctx context.Context, over http.RoundTripper, address *url.URL, f File, idle time.Duration) (again bool, err error) {
	op := "store firmware at " + address.Host
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stalled := time.AfterFunc(idle, func() { stop(errIdle) })
	defer stalled.Stop()

	body := &progressReader{r: io.NewSectionReader(f.Body, 0, f.Size), total: f.Size, tell: f.Progress, read: func() { stalled.Reset(idle) }}
	req := (&http.Request{
		Method: http.MethodPut, URL: address, Host: address.Host,
		Header:        http.Header{"Content-Type": {"application/octet-stream"}},
		Body:          io.NopCloser(body),
		ContentLength: f.Size,
	}).WithContext(sending)

	resp, err := over.RoundTrip(req)
	if err != nil {
		if errors.Is(context.Cause(sending), errIdle) {
			err = errIdle
		}
		return ctx.Err() == nil, &fault.Error{Op: op, Class: fault.ErrNetwork, Err: err}
	}
	resp.Body.Close() // unread: the status says all, and the rest may never come

	switch n := resp.StatusCode; {
	case n >= 200 && n < 300:
		return false, nil
	case n >= 300 && n < 400:
		return false, &fault.Error{Op: op, Class: fault.ErrRefused, Err: fmt.Errorf("status %d: redirections are not followed", n)}
	case n == http.StatusForbidden:
		return true, &fault.Error{Op: op, Class: fault.ErrRefused, Err: errors.New("status 403"), Hint: "the address may have expired; check this machine's clock"}
	case n >= 500 || n == http.StatusTooManyRequests || n == http.StatusRequestTimeout:
		return true, &fault.Error{Op: op, Class: fault.ErrRefused, Err: fmt.Errorf("status %d", n), Hint: "try again later"}
	default:
		return false, &fault.Error{Op: op, Class: fault.ErrRefused, Err: fmt.Errorf("status %d", n)}
	}
}

type progressReader struct {
	r           io.Reader
	sent, total int64
	tell        func(sent, total int64)
	read        func() // is told that somebody wants more
}

func (p *progressReader) Read(b []byte) (int, error) {
	p.read()
	n, err := p.r.Read(b)
	p.sent += int64(n)
	if p.tell != nil && n > 0 {
		p.tell(p.sent, p.total)
	}
	return n, err
}
