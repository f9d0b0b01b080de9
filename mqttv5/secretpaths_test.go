package mqttv5

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// firmwareTo uploads a firmware file where a broker's answer sends it, with a CA file
// that holds ca.
func firmwareTo(t *testing.T, address string, ca []byte) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	b := mqtttest.NewBroker(t)
	answerWithAddress(b, address)
	c := fakeClient(t, b, func(cfg *Config) { cfg.CAFile = file })
	defer c.Close()
	c.uploadWait = time.Millisecond
	f, _ := testFirmware(1000)
	return c.UploadFirmware(within(t), f)
}

func storageServer(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

func certificateOf(srv *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

// Whoever redirects names or routes gets no firmware: the storage server shows a
// certificate of an authority that is trusted, for its name.
func TestF27StorageServerIsVerified(t *testing.T) {
	var taken atomic.Int32
	srv := storageServer(t, func(http.ResponseWriter, *http.Request) { taken.Add(1) })
	other := catest.New(t)
	stranger := httptest.NewUnstartedServer(srv.Config.Handler)
	stranger.Config.ErrorLog = srv.Config.ErrorLog
	stranger.TLS = &tls.Config{Certificates: []tls.Certificate{other.Pair(2, time.Now().Add(time.Hour), "elsewhere.invalid")}}
	stranger.StartTLS()
	t.Cleanup(stranger.Close)

	for name, c := range map[string]struct {
		address string
		ca      []byte
		want    string
	}{
		"unknown authority": {srv.URL + "/x", other.PEM, "unknown authority"},
		"another name":      {stranger.URL + "/x", other.PEM, "127.0.0.1"},
	} {
		err := firmwareTo(t, c.address, c.ca)
		if !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if n := taken.Load(); n != 0 {
		t.Errorf("got the file at %d servers that were not verified, want none", n)
	}
	if err := firmwareTo(t, srv.URL+"/x", certificateOf(srv)); err != nil || taken.Load() != 1 {
		t.Errorf("trusted server: got %v and %d requests, want no error and 1", err, taken.Load())
	}
}

// No answer of a storage server sends the file or its address elsewhere.
func TestF27RedirectionsAreNotFollowed(t *testing.T) {
	for _, code := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			var elsewhere atomic.Int32
			var srv *httptest.Server
			srv = storageServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/x" {
					elsewhere.Add(1)
					return
				}
				w.Header().Set("Location", srv.URL+"/elsewhere?canary")
				w.WriteHeader(code)
			})
			err := firmwareTo(t, srv.URL+"/x", certificateOf(srv))
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "redirections are not followed") || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v, want a refusal", err)
			}
			if n := elsewhere.Load(); n != 0 {
				t.Errorf("got %d redirections followed, want none", n)
			}
		})
	}
}

// A refusal of the token before does not cost the one that was fetched since.
func TestFreshTokenIsKept(t *testing.T) {
	b := mqtttest.NewBroker(t)
	c := fakeClient(t, b, nil)
	defer c.Close()
	dev, ctx := testDevice(1), t.Context()
	key := c.sessionKey(dev)
	if err := c.cfg.Store.SetToken(ctx, key, 8); err != nil {
		t.Fatal(err)
	}
	for refused, want := range map[uint32]bool{7: true, 8: false} {
		if err := errors.Join(c.cfg.Store.SetToken(ctx, key, 8), c.dropToken(ctx, dev, refused)); err != nil {
			t.Fatal(err)
		}
		if token, ok, err := c.cfg.Store.Token(ctx, key); err != nil || ok != want || ok && token != 8 {
			t.Errorf("token %d refused: got %d, %v, %v, want it kept: %v", refused, token, ok, err, want)
		}
	}
}
