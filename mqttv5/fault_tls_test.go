package mqttv5

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// firstBytes remembers how each connection begins.
type firstBytes struct {
	net.Conn
	mu    *sync.Mutex
	first *[]byte
	done  bool
}

func (f *firstBytes) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if n > 0 && !f.done {
		f.done = true
		f.mu.Lock()
		*f.first = append(*f.first, p[0])
		f.mu.Unlock()
	}
	return n, err
}

func TestF15TLS(t *testing.T) {
	ca, other := catest.New(t), catest.New(t)
	soon := time.Now().Add(time.Hour)
	dir := t.TempDir()
	certFile, keyFile, caFile := ca.Write(dir, 2, soon)
	good := ca.Pair(3, soon, "127.0.0.1")
	for _, c := range []struct {
		name   string
		server *tls.Config
		stall  bool
		edit   func(*Config)
		want   string
	}{
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.Pair(4, time.Now().Add(-time.Minute), "127.0.0.1")}}, false, nil, "expired"},
		{"wrong name", &tls.Config{Certificates: []tls.Certificate{ca.Pair(5, soon, "example.org")}}, false, nil, "another name"},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{other.Pair(6, soon, "127.0.0.1")}}, false, nil, "not trusted"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, nil, "version"},
		{"client rejected, TLS 1.3", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: other.Pool()}, false, nil, "client certificate"},
		{"client rejected, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: other.Pool(), MaxVersion: tls.VersionTLS12}, false, nil, "client certificate"},
		{"stalled handshake", nil, true, nil, "in time"},
		{"own certificate expired", &tls.Config{Certificates: []tls.Certificate{good}}, false, func(c *Config) {
			d := t.TempDir()
			c.CertFile, c.KeyFile, _ = ca.Write(d, 7, time.Now().Add(-time.Minute))
		}, "expired on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			var mu sync.Mutex
			var first []byte
			hold := make(chan net.Conn, 16)
			port := b.Listen(t, c.server, func(n net.Conn) net.Conn {
				if c.stall {
					hold <- n
					return nil
				}
				return &firstBytes{Conn: n, mu: &mu, first: &first}
			})

			cfg := Config{
				Broker: "127.0.0.1", Port: port, CustomerID: "7", CertFile: certFile, KeyFile: keyFile, CAFile: caFile,
				TokenTimeout: time.Minute,
			}

			if c.stall {
				cfg.TokenTimeout = 700 * time.Millisecond
			}
			if c.edit != nil {
				c.edit(&cfg)
			}
			o := openOutbox(t, t.TempDir())
			defer o.Close()
			if _, err := o.SubmitText(t.Context(), testDevice(1), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: "x"}}); err != nil {
				t.Fatal(err)
			}

			client, err := New(cfg)
			if err == nil {
				defer client.Close()
				err = client.Connect(within(t))
			}

			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q in one line", err, c.want)
			}
			t.Log(err)
			if !errors.Is(err, ErrNetwork) && !errors.Is(err, ErrCredentials) && !errors.Is(err, ErrRefused) {
				t.Errorf("got %v, want it of class %v, %v or %v", err, ErrNetwork, ErrCredentials, ErrRefused)
			}

			if s := o.Stats(); s.Waiting != 1 {
				t.Errorf("got stats %+v, want Waiting 1", s)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, x := range first {
				if x != 0x16 { // a TLS handshake record
					t.Errorf("got a connection that begins with 0x%02x, want 0x16", x)
				}
			}

			if n := len(b.Times()); n != 0 {
				t.Errorf("got %d CONNECTs, want none", n)
			}
			for len(hold) > 0 {
				(<-hold).Close()
			}
		})
	}
}

// A certificate that was renewed on disk is used for the next connection.
func TestF16RenewedCertificate(t *testing.T) {
	ca := catest.New(t)
	soon := time.Now().Add(time.Hour)
	dir := t.TempDir()
	certFile, keyFile, caFile := ca.Write(dir, 100, soon)
	var mu sync.Mutex
	var seen []int64
	resumed := 0
	b := mqtttest.NewBroker(t)
	port := b.Listen(t, &tls.Config{
		Certificates: []tls.Certificate{ca.Pair(3, soon, "127.0.0.1")},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		VerifyConnection: func(s tls.ConnectionState) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, s.PeerCertificates[0].SerialNumber.Int64())
			if s.DidResume {
				resumed++
			}
			return nil
		},
	}, nil)

	c := newClient(t, Config{
		Broker: "127.0.0.1", Port: port, CustomerID: "7", CertFile: certFile, KeyFile: keyFile, CAFile: caFile,
		Tuning: Tuning{MinBackoff: 10 * time.Millisecond},
	})

	connect := func() {
		t.Helper()
		if err := c.Connect(within(t)); err != nil {
			t.Fatal(err)
		}
	}

	drop := func() {
		t.Helper()
		l, err := c.keeper.Up(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.End(errors.New("dropped by the test"))
		<-l.Told()
	}

	connect()
	// The session ticket comes with the first bytes after the handshake.
	if _, err := c.PublishText(within(t), testDevice(1), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: "x"}}); err != nil {
		t.Fatal(err)
	}
	drop()
	connect() // resumes
	ca.Write(dir, 101, soon)
	drop()
	connect()
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 3 || seen[0] != 100 || seen[1] != 100 || seen[2] != 101 {
		t.Errorf("certificates %v, want 100, 100, 101", seen)
	}

	if resumed != 1 {
		t.Errorf("%d sessions were resumed, want the second", resumed)
	}
}
