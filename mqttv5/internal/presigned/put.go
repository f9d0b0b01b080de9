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

// Put makes one attempt and says whether another, with a new address, may succeed.
//
// It uses no http.Client: that reads where a redirection leads, though it may not
// follow it, and shows in its errors what a server put there, which may be the address.
func Put(ctx context.Context, over http.RoundTripper, address *url.URL, f File) (again bool, err error) {
	op := "store firmware at " + address.Host
	body := &progressReader{r: io.NewSectionReader(f.Body, 0, f.Size), total: f.Size, tell: f.Progress}
	req := (&http.Request{
		Method: http.MethodPut, URL: address, Host: address.Host,
		Header:        http.Header{"Content-Type": {"application/octet-stream"}},
		Body:          io.NopCloser(body),
		ContentLength: f.Size,
	}).WithContext(ctx)

	resp, err := over.RoundTrip(req)
	if err != nil {
		return ctx.Err() == nil, &fault.Error{Op: op, Class: fault.ErrNetwork, Err: err}
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 64<<10)

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
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.sent += int64(n)
	if p.tell != nil && n > 0 {
		p.tell(p.sent, p.total)
	}
	return n, err
}
