package link

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// proxyServer accepts connections, shakes hands by the script and joins them with
// their targets. The script returns the target, or "" if it has refused.
func proxyServer(t *testing.T, shake func(c net.Conn, in *bufio.Reader) (target string)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := []io.Closer{l}
	keep := func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		open = append(open, c)
	}

	t.Cleanup(func() {
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})

	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			keep(c)
			wg.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				target := shake(c, in)
				if target == "" {
					return
				}
				to, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				keep(to)
				wg.Go(func() { io.Copy(to, in); to.Close() })
				io.Copy(c, to)
			})
		}
	})

	return l.Addr().String()
}

// httpProxy is one that wants user and password, if they are not empty.
func httpProxy(login string, status string) func(net.Conn, *bufio.Reader) string {
	return func(c net.Conn, in *bufio.Reader) string {
		r, err := http.ReadRequest(in)
		if err != nil || r.Method != http.MethodConnect {
			return ""
		}
		if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(login)); login != "" && r.Header.Get("Proxy-Authorization") != want {
			io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
			return ""
		}
		io.WriteString(c, "HTTP/1.1 "+status+"\r\n\r\n")
		if !strings.HasPrefix(status, "200") {
			return ""
		}
		return r.Host
	}
}

// socksProxy speaks SOCKS5 and wants user and password, if they are not empty.
func socksProxy(login string, reply byte) func(net.Conn, *bufio.Reader) string {
	return func(c net.Conn, in *bufio.Reader) string {
		head := make([]byte, 2)
		io.ReadFull(in, head)
		methods := make([]byte, head[1])
		io.ReadFull(in, methods)
		if login != "" {
			if !strings.Contains(string(methods), "\x02") {
				c.Write([]byte{5, 0xff})
				return ""
			}
			c.Write([]byte{5, 2})
			io.ReadFull(in, head)
			user := make([]byte, head[1])
			io.ReadFull(in, user)
			n, _ := in.ReadByte()
			password := make([]byte, n)
			io.ReadFull(in, password)
			if string(user)+":"+string(password) != login {
				c.Write([]byte{1, 1})
				return ""
			}
			c.Write([]byte{1, 0})
		} else {
			c.Write([]byte{5, 0})
		}

		request := make([]byte, 4)
		io.ReadFull(in, request)
		var host string
		if request[3] == 3 {
			n, _ := in.ReadByte()
			name := make([]byte, n)
			io.ReadFull(in, name)
			host = string(name)
		} else {
			ip := make([]byte, 4)
			io.ReadFull(in, ip)
			host = net.IP(ip).String()
		}

		port := make([]byte, 2)
		io.ReadFull(in, port)
		c.Write([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		if reply != 0 {
			return ""
		}

		return net.JoinHostPort(host, strconv.Itoa(int(port[0])<<8|int(port[1])))
	}
}

// The connection goes through a proxy that is named; one that refuses, wants a login,
// hangs or is none is named, in time, and no password is shown (F49).
func TestF49Proxy(t *testing.T) {
	const canary = "canary5ecret"
	hang := func(c net.Conn, in *bufio.Reader) string { io.Copy(io.Discard, in); return "" }
	for _, c := range []struct {
		name   string
		scheme string
		login  string
		shake  func(net.Conn, *bufio.Reader) string
		want   string // empty: it works
	}{
		{"HTTP", "http://", "", httpProxy("", "200 Connection established"), ""},
		{"HTTP without a scheme", "", "", httpProxy("", "200 OK"), ""},
		{"HTTP with a login", "http://", "me:" + canary, httpProxy("me:"+canary, "200 OK"), ""},
		{"HTTP wants a login", "http://", "", httpProxy("me:"+canary, "200 OK"), "it wants a login (407)"},
		{"HTTP refuses", "http://", "me:" + canary, httpProxy("", "403 Not \x1b[31mallowed"), "it refuses: 403 Not ?[31mallowed; the proxy must allow CONNECT to 127.0.0.1:"},
		{"HTTP answers otherwise", "http://", "", httpProxy("", "204 No Content"), "it refuses: 204 No Content"},
		{"HTTP hangs", "http://", "me:" + canary, hang, "no answer in time"},
		{"no HTTP", "http://", "", func(c net.Conn, in *bufio.Reader) string { io.WriteString(c, "SSH-2.0-x\r\n"); return "" }, "does not answer as an HTTP proxy"},
		{"flood", "http://", "", func(c net.Conn, in *bufio.Reader) string {
			for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; _, err = io.WriteString(c, "X: "+strings.Repeat("x", 1000)+"\r\n") {
			}
			return ""
		}, "does not answer as an HTTP proxy"},
		{"SOCKS5", "socks5://", "", socksProxy("", 0), ""},
		{"SOCKS5 with a login", "socks5://", "me:" + canary, socksProxy("me:"+canary, 0), ""},
		{"SOCKS5 wants a login", "socks5://", "", socksProxy("me:"+canary, 0), "no acceptable authentication methods; give user and password"},
		{"SOCKS5 refuses", "socks5://", "me:" + canary, socksProxy("me:"+canary, 2), "it refuses: connection not allowed by ruleset"},
		{"SOCKS5 hangs", "socks5://", "", hang, "no answer in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			address := proxyServer(t, c.shake)
			login := ""
			if c.login != "" {
				login = c.login + "@"
			}
			timeout := time.Minute
			if strings.HasSuffix(c.name, "hangs") {
				timeout = 300 * time.Millisecond
			}

			k, err := New(Config{
				Broker: "127.0.0.1", Port: b.Listen(t, nil, nil), InsecurePlaintext: true, Timeout: timeout,
				Tuning: Tuning{ClientID: "x", Proxy: c.scheme + login + address},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close(t.Context())
			_, err = k.Up(t.Context())
			if c.want == "" {
				if err != nil || len(b.Times()) != 1 {
					t.Errorf("got %v and %d CONNECTs, want one", err, len(b.Times()))
				}
				return
			}

			if !errors.Is(err, fault.ErrNetwork) || !strings.Contains(err.Error(), "proxy "+address+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want the proxy named and %q", err, c.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want no password in it", err)
			}

			if len(b.Times()) != 0 {
				t.Error("got a CONNECT, want none past a proxy that fails")
			}
		})
	}
}

// What comes with the proxy's answer is the first of what the other side says.
func TestBytesBehindTheAnswerOfAProxy(t *testing.T) {
	address := proxyServer(t, func(c net.Conn, in *bufio.Reader) string {
		http.ReadRequest(in)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhel")
		io.WriteString(c, "lo")
		return ""
	})
	u := &url.URL{Scheme: "http", Host: address}
	c, err := through(u, (&net.Dialer{}).DialContext)(t.Context(), "tcp", "broker:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v, want hello", b, err)
	}
}

// A proxy behind TLS is who it says it is, or gets nothing: its address may hold a
// password.
func TestCertificateOfAProxyIsVerified(t *testing.T) {
	asked := false
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS() // with a certificate that nobody trusts
	defer srv.Close()
	k, err := New(Config{
		Broker: "127.0.0.1", Port: 1, InsecurePlaintext: true, Timeout: time.Minute,
		Tuning: Tuning{ClientID: "x", Proxy: strings.Replace(srv.URL, "://", "://me:canary@", 1)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(t.Context())
	if _, err := k.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, want the certificate refused", err)
	}
	if asked {
		t.Error("got a request, want none")
	}
}

// F49: who waits no longer than the proxy hangs is told of the proxy all the same.
func TestF49ProxyOutlastsTheCaller(t *testing.T) {
	for _, scheme := range []string{"http://", "https://", "socks5://"} {
		address := proxyServer(t, func(_ net.Conn, in *bufio.Reader) string { io.Copy(io.Discard, in); return "" })
		k, err := New(Config{
			Broker: "127.0.0.1", Port: 1, InsecurePlaintext: true, Timeout: time.Minute,
			Tuning: Tuning{ClientID: "x", Proxy: scheme + "me:canary@" + address},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = k.Up(ctx)
		cancel()
		k.Close(t.Context())
		if !errors.Is(err, fault.ErrNetwork) || !strings.Contains(err.Error(), "proxy "+address+": ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want the proxy named", scheme, err)
		}
	}
}

func TestConfiguredProxyPrecedesTheEnvironment(t *testing.T) {
	for _, c := range []struct{ name, variable, broker, no, want string }{
		{"", "", "broker.example", "", ""},
		{"", "HTTPS_PROXY", "broker.example", "", "http://p:1"},
		{"", "ALL_PROXY", "broker.example", "", "http://p:1"},
		{"", "HTTP_PROXY", "broker.example", "", ""},
		{"", "HTTPS_PROXY", "broker.example", "example", ""},
		{"", "HTTPS_PROXY", "127.0.0.1", "", ""},
		{"none", "HTTPS_PROXY", "broker.example", "", ""},
		{"q:2", "HTTPS_PROXY", "127.0.0.1", "", "http://q:2"},
	} {
		for _, v := range []string{"HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY"} {
			t.Setenv(v, "")
			t.Setenv(strings.ToLower(v), "")
		}
		if c.variable != "" {
			t.Setenv(c.variable, "http://p:1")
		}
		t.Setenv("NO_PROXY", c.no)
		u, err := (&Config{Broker: c.broker, Port: 8883, Tuning: Tuning{Proxy: c.name}}).ProxyURL()
		got := ""
		if u != nil {
			got = u.String()
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: got %q, %v, want %q", c, got, err, c.want)
		}
	}

	for _, bad := range []string{"ftp://x:1", "http://", "http://me:canary%zz@x"} {
		_, err := Config{Broker: "x", InsecurePlaintext: false, Credentials: Credentials{CertFile: "c", KeyFile: "k"}, Tuning: Tuning{ClientID: "c", Proxy: bad}}.WithDefaults()
		if !errors.Is(err, fault.ErrConfig) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %v without the password", bad, err, fault.ErrConfig)
		}
	}
}

// The limits of AWS are those of AWS.
func TestRatesAreLimitedForAWSAlone(t *testing.T) {
	for host, limited := range map[string]bool{
		"": true, "mqtt.ulogger.ai": true, "MQTT.uLogger.ai.": true, "x-ats.iot.eu-central-1.amazonaws.com": true, "x.iot.cn-north-1.amazonaws.com.cn": true,
		"amazonaws.com.example": false, "xamazonaws.com": false, "broker.example": false, "127.0.0.1": false,
	} {
		c, err := Config{Broker: host, Credentials: Credentials{CertFile: "c", KeyFile: "k"}, Tuning: Tuning{ClientID: "c"}}.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		want := [2]float64{-1, -1}
		if limited {
			want = [2]float64{100, 512 << 10}
		}
		if got := [2]float64{c.Tuning.PublishesPerSecond, c.Tuning.BytesPerSecond}; got != want {
			t.Errorf("%q: got rates %v, want %v", host, got, want)
		}
	}
}
