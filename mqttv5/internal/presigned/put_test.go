package presigned

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is signed in an address, and must be seen nowhere.
const secret = "X-Signature=canary0f5ecret"

// store starts a server and returns its address and a file with its certificate.
func store(t *testing.T, handler http.HandlerFunc) (address *url.URL, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)

	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(s.URL + "/firmware?" + secret)
	if err != nil {
		t.Fatal(err)
	}
	return address, ca
}

// attempt makes one attempt.
func attempt(t *testing.T, ctx context.Context, cfg link.Config, address *url.URL, f File) (again bool, err error) {
	t.Helper()
	transport, err := Transport(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer transport.CloseIdleConnections()
	return Put(ctx, transport, address, f)
}

func trusting(ca string) link.Config {
	return link.Config{Credentials: link.Credentials{CAFile: ca}, Tuning: link.Tuning{Proxy: link.NoProxy}}
}

func TestPutStoresEveryByteAndTellsHowFarItIs(t *testing.T) {
	want := bytes.Repeat([]byte("firmware"), 40_000)
	var got []byte
	var header http.Header
	address, ca := store(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || r.URL.RawQuery != secret || r.ContentLength != int64(len(want)) {
			t.Errorf("got %s, query %q, %d bytes, want PUT, %q, %d", r.Method, r.URL.RawQuery, r.ContentLength, secret, len(want))
		}
		header = r.Header
		got, _ = io.ReadAll(r.Body)
	})

	var last, total int64
	f := File{Body: bytes.NewReader(want), Size: int64(len(want)), Progress: func(sent, all int64) {
		if sent <= last {
			t.Errorf("progress went from %d to %d, want it to grow", last, sent)
		}
		last, total = sent, all
	}}
	again, err := attempt(t, t.Context(), trusting(ca), address, f)
	if again || err != nil {
		t.Fatalf("got again %v, error %v, want neither", again, err)
	}
	if !bytes.Equal(got, want) || header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("got %d bytes of type %q, want the %d of the file", len(got), header.Get("Content-Type"), len(want))
	}
	if last != f.Size || total != f.Size {
		t.Errorf("progress ended at %d of %d, want %d of as many", last, total, f.Size)
	}
}

// What a server answers decides whether a new address may help. No answer, however
// odd, makes the address appear in an error.
func TestPutSaysWhetherAnotherAddressMayHelp(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
		}
	}

	for name, c := range map[string]struct {
		answer http.HandlerFunc
		again  bool
		class  error
		says   string
	}{
		"expired":               {status(http.StatusForbidden), true, fault.ErrRefused, "check this machine's clock"},
		"too many":              {status(http.StatusTooManyRequests), true, fault.ErrRefused, "try again later"},
		"slow":                  {status(http.StatusRequestTimeout), true, fault.ErrRefused, "try again later"},
		"broken":                {status(http.StatusInternalServerError), true, fault.ErrRefused, "try again later"},
		"wrong":                 {status(http.StatusBadRequest), false, fault.ErrRefused, "status 400"},
		"gone":                  {status(http.StatusNotFound), false, fault.ErrRefused, "status 404"},
		"elsewhere":             {redirect("https://elsewhere.invalid/?" + secret), false, fault.ErrRefused, "redirections are not followed"},
		"nowhere":               {redirect(""), false, fault.ErrRefused, "redirections are not followed"},
		"to what is no address": {redirect("https://elsewhere.invalid/%zz?" + secret), false, fault.ErrRefused, "redirections are not followed"},
		"cut":                   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, fault.ErrNetwork, ""},
		"chatty": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.Copy(w, strings.NewReader(strings.Repeat(secret, 100_000)))
		}, false, fault.ErrRefused, "status 400"},
	} {
		t.Run(name, func(t *testing.T) {
			address, ca := store(t, c.answer)
			again, err := attempt(t, t.Context(), trusting(ca), address, File{Body: strings.NewReader("ELF"), Size: 3})
			if again != c.again || !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got again %v, error %v, want %v and %v that says %q", again, err, c.again, c.class, c.says)
			}
			if !strings.Contains(err.Error(), address.Host) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %q, want the host and nothing else of the address", err)
			}
		})
	}
}

// A server that says that it has the file need not say more, and one that never ends
// what it says holds nobody up.
func TestPutWaitsForNoBody(t *testing.T) {
	for _, code := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		address, ca := store(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(code)
			w.(http.Flusher).Flush()
			<-r.Context().Done() // until the client has gone
		})
		again, err := attempt(t, t.Context(), trusting(ca), address, File{Body: strings.NewReader("ELF"), Size: 3})
		if good := code == http.StatusOK; again == good || (err == nil) != good {
			t.Errorf("%d: got again %v, error %v, want %v and an error: %v", code, again, err, !good, !good)
		}
	}
}

// slowly is a transport that takes n times three bytes of a file, and then waits.
type slowly int

func (n slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	for range n {
		if _, err := io.ReadFull(r.Body, make([]byte, 3)); err != nil {
			return nil, err
		}
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A server that takes no more of a file does not hold it up for ever: another address
// may lead to a better one.
func TestPutGivesUpAServerThatTakesNothing(t *testing.T) {
	address := &url.URL{Scheme: "https", Host: "storage.example", RawQuery: secret}
	for _, taken := range []slowly{0, 1, 2} {
		again, err := put(t.Context(), taken, address, File{Body: strings.NewReader("an ELF"), Size: 6}, time.Millisecond)
		if !again || !errors.Is(err, fault.ErrNetwork) || !strings.Contains(err.Error(), "storage.example: the server takes no more of the file") {
			t.Errorf("%d reads: got again %v, error %v, want true and that the server takes no more", taken, again, err)
		}
	}
}

func TestPutEndsWithItsContext(t *testing.T) {
	arrived := make(chan struct{})
	over := make(chan struct{})
	address, ca := store(t, func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-over
	})
	defer close(over)

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	again, err := attempt(t, ctx, trusting(ca), address, File{Body: strings.NewReader("ELF"), Size: 3})
	if again || !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got again %v, error %v, want no other attempt and %v without the address", again, err, context.Canceled)
	}
}

// A store is believed only if its certificate leads to what the connection trusts.
func TestPutTrustsWhatTheConnectionTrusts(t *testing.T) {
	address, _ := store(t, func(http.ResponseWriter, *http.Request) {
		t.Error("got a file at a server that nobody trusts, want none")
	})
	again, err := attempt(t, t.Context(), trusting(""), address, File{Body: strings.NewReader("ELF"), Size: 3})
	if !again || !errors.Is(err, fault.ErrNetwork) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got again %v, error %v, want a network error about the certificate", again, err)
	}

	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Transport(trusting(empty)); !errors.Is(err, fault.ErrCredentials) {
		t.Errorf("empty CA file: got error %v, want %v", err, fault.ErrCredentials)
	}
}

// A proxy that the configuration names leads to the store too.
func TestPutGoesThroughTheProxy(t *testing.T) {
	address, ca := store(t, func(http.ResponseWriter, *http.Request) { t.Error("got a file past the proxy, want none") })
	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()

	cfg := trusting(ca)
	cfg.Tuning.Proxy = proxy.URL
	if _, err := attempt(t, t.Context(), cfg, address, File{Body: strings.NewReader("ELF"), Size: 3}); !errors.Is(err, fault.ErrNetwork) {
		t.Errorf("got error %v, want %v", err, fault.ErrNetwork)
	}
	if got, want := <-asked, "CONNECT "+address.Host; got != want {
		t.Errorf("the proxy was asked %q, want %q", got, want)
	}
}
