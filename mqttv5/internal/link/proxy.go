package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// NoProxy as Tuning.Proxy connects directly, whatever the environment says.
const NoProxy = "none"

// maxProxyAnswer is the longest answer to a CONNECT that is read, in bytes.
const maxProxyAnswer = 64 << 10

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// ProxyURL returns the proxy that leads to the broker; nil is none. A proxy that is
// named is used for every broker, one of the environment (HTTPS_PROXY, or else
// ALL_PROXY) not for loopback addresses and what NO_PROXY names.
func (c *Config) ProxyURL() (*url.URL, error) {
	switch name := c.Tuning.Proxy; name {
	case NoProxy:
		return nil, nil
	case "":
		env := httpproxy.FromEnvironment()
		for _, name := range [...]string{"ALL_PROXY", "all_proxy"} {
			if env.HTTPSProxy == "" {
				env.HTTPSProxy = os.Getenv(name)
			}
		}
		u, err := env.ProxyFunc()(&url.URL{Scheme: "https", Host: c.Address()})
		if err != nil {
			return nil, errors.New("the proxy that the environment names is no address")
		}
		return checkProxy(u, "of the environment")

	default:
		if !strings.Contains(name, "://") {
			name = "http://" + name
		}
		u, err := url.Parse(name)
		if err != nil {
			return nil, errors.New("field Tuning.Proxy is no address; it may hold a password and is not shown")
		}
		return checkProxy(u, "in field Tuning.Proxy")
	}
}

func checkProxy(u *url.URL, where string) (*url.URL, error) {
	if u == nil {
		return nil, nil
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return nil, fmt.Errorf("the proxy %s is %s:, known are http, https and socks5", where, fault.Printable(u.Scheme))
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("the proxy %s has no host", where)
	}
	return u, nil
}

// proxyAddress returns host:port of a proxy, with the port that is usual.
func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "1080"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// proxyError is what a proxy did wrong.
type proxyError struct {
	proxy string // host:port; the address as a whole may hold a password
	err   error
	hint  string
}

func (e *proxyError) Error() string { return "proxy " + e.proxy + ": " + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// through returns a dial function that goes through a proxy.
func through(u *url.URL, dial dialFunc) dialFunc {
	address := proxyAddress(u)
	fail := func(err error, hint string) error { return &proxyError{address, inWords(err), hint} }
	if strings.HasPrefix(u.Scheme, "socks5") {
		return func(ctx context.Context, network, target string) (net.Conn, error) {
			// The name is left to the proxy to resolve.
			auth := (*proxy.Auth)(nil)
			if u.User != nil {
				password, _ := u.User.Password()
				auth = &proxy.Auth{User: u.User.Username(), Password: password}
			}

			d, err := proxy.SOCKS5("tcp", address, auth, contextDialer(dial))
			if err != nil {
				return nil, fail(err, "")
			}
			conn, err := d.(proxy.ContextDialer).DialContext(ctx, network, target)
			if err != nil {
				return nil, fail(socksCause(err), socksHint(err))
			}
			return conn, nil
		}
	}

	return func(ctx context.Context, network, target string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, fail(err, "check the proxy's host and port")
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })

		tunnel, hint, err := connectThrough(ctx, conn, u, target)
		if !stop() && err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			conn.Close()
			if ctx.Err() != nil {
				err, hint = errors.New("no answer in time"), "check the proxy's host and port"
			}
			return nil, fail(err, hint)
		}

		return tunnel, nil
	}
}

// contextDialer makes a proxy.ContextDialer of a function.
type contextDialer dialFunc

// Dial implements proxy.Dialer.
func (d contextDialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

// DialContext implements proxy.ContextDialer.
func (d contextDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// socksCause leaves out the operations and the addresses, which the message has, and
// says which words are an answer.
func socksCause(err error) error {
	var op *net.OpError
	for errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	if said, ok := strings.CutPrefix(err.Error(), "unknown error "); ok { // a reply of SOCKS that is none of success
		return fmt.Errorf("it refuses: %s", said)
	}
	return err
}

func socksHint(err error) string {
	if s := err.Error(); strings.Contains(s, "authentication") {
		return "give user and password in its address: socks5://USER:PASSWORD@HOST:PORT"
	}
	return "check the proxy's host and port, and what it allows"
}

// connectThrough asks an HTTP proxy for a tunnel.
func connectThrough(ctx context.Context, conn net.Conn, u *url.URL, target string) (tunnel net.Conn, hint string, err error) {
	if u.Scheme == "https" {
		t := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, "is it an https: proxy?", fmt.Errorf("TLS: %w", inWords(err))
		}
		conn = t
	}

	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{"User-Agent": {"ulogkit"}}}
	if u.User != nil {
		password, _ := u.User.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return nil, "", err
	}

	in := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	answer, err := http.ReadResponse(in, r)
	if err != nil {
		return nil, "is it an HTTP proxy?", errors.New("it does not answer as an HTTP proxy")
	}
	switch {
	case answer.StatusCode == http.StatusProxyAuthRequired:
		return nil, "give user and password in its address: http://USER:PASSWORD@HOST:PORT", errors.New("it wants a login (407)")
	case answer.StatusCode != http.StatusOK:
		return nil, "the proxy must allow CONNECT to " + target, fmt.Errorf("it refuses: %s", fault.Printable(answer.Status))
	}

	early := make([]byte, in.Buffered())
	in.Read(early) // of its buffer
	return &tunnelConn{Conn: conn, early: early}, "", nil
}

// tunnelConn is a connection whose first bytes were read with the proxy's answer.
type tunnelConn struct {
	net.Conn
	early []byte
}

func (c *tunnelConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
