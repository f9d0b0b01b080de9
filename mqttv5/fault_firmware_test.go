package mqttv5

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func testFirmware(n int) (Firmware, []byte) {
	body := append([]byte("\x7fELF"), bytes.Repeat([]byte("firmware"), n/8)...)
	return Firmware{
		ApplicationID: 42, DeviceType: "board", GitHash: "abc", Version: "1.2.3", Branch: "main",
		Body: bytes.NewReader(body), Size: int64(len(body)),
	}, body
}

func TestUploadFirmwareStoresTheWholeFile(t *testing.T) {
	for _, group := range []string{"", "g1"} {
		cloud := startCloud(t, localcloud.Config{Dir: t.TempDir()})
		cfg := cloudConfig(cloud)
		cfg.GroupID = group
		c := newClient(t, cfg)
		f, body := testFirmware(300_000)
		var last, total int64
		f.Progress = func(sent, all int64) { last, total = sent, all }
		if err := c.UploadFirmware(within(t), f); err != nil {
			t.Fatal(err)
		}

		got, err := cloud.WaitReceived(within(t), 1)
		if err != nil {
			t.Fatal(err)
		}
		if got[0].Kind != localcloud.KindFirmware || got[0].Err != nil || !bytes.Equal(got[0].Payload, body) || got[0].ApplicationID != 42 {
			t.Errorf("got Kind %v, error %v, ApplicationID %d and %d bytes, want %v, none, 42 and the %d bytes of the file",
				got[0].Kind, got[0].Err, got[0].ApplicationID, len(got[0].Payload), localcloud.KindFirmware, len(body))
		}

		if last != f.Size || total != f.Size {
			t.Errorf("progress ended at %d of %d, want %d", last, total, f.Size)
		}
	}
}

// What a presigned address can do wrong. Its query is a secret and appears
// nowhere.
func TestF27PresignedAddress(t *testing.T) {
	const secret = "X-Signature=canary0f5ecret"
	for _, c := range []struct {
		name    string
		handler func(n int, w http.ResponseWriter, r *http.Request)
		scheme  string
		tries   int
		class   error // nil is success
		want    string
	}{
		{"good", func(_ int, w http.ResponseWriter, r *http.Request) {}, "", 1, nil, ""},
		{"403 once", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.WriteHeader(403)
			}
		}, "", 2, nil, ""},
		{"503 twice", func(n int, w http.ResponseWriter, r *http.Request) {
			if n < 3 {
				w.WriteHeader(503)
			}
		}, "", 3, nil, ""},
		{"403 for ever", func(_ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }, "", maxUploads, ErrRefused, "403"},
		{"400", func(_ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(400) }, "", 1, ErrRefused, "400"},
		{"redirect", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.invalid/?"+secret, http.StatusTemporaryRedirect)
		}, "", 1, ErrRefused, "redirection"},
		{"http:", nil, "http://", 0, ErrRefused, "only https:"},
		{"cut", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				io.CopyN(io.Discard, r.Body, 1000)
				panic(http.ErrAbortHandler)
			}
		}, "", 2, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, body := testFirmware(200_000)
			var mu sync.Mutex
			tries := 0
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				tries++
				n := tries
				mu.Unlock()
				if r.Method != "PUT" || r.Header.Get("Content-Type") != "application/octet-stream" || r.URL.RawQuery != secret || r.ContentLength != int64(len(body)) {
					t.Errorf("got %s %v of %d bytes with %v, want PUT with the query %s of %d bytes, and Content-Type application/octet-stream",
						r.Method, r.URL, r.ContentLength, r.Header, secret, len(body))
				}
				c.handler(n, w, r)
				got, err := io.ReadAll(r.Body)
				if c.class == nil && n == c.tries && (err != nil || !bytes.Equal(got, body)) {
					t.Errorf("got %d bytes, %v, want the %d of the file", len(got), err, len(body))
				}
			}))

			srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			srv.StartTLS()
			defer srv.Close()
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}

			address := srv.URL
			if c.scheme != "" {
				address = c.scheme + strings.TrimPrefix(address, "https://")
			}
			b := mqtttest.NewBroker(t)
			answerWithAddress(b, address+"/x?"+secret)
			var log bytes.Buffer
			var events []string
			client := fakeClient(t, b, func(cfg *Config) {
				cfg.CAFile = ca
				cfg.Hooks.Logger = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
				cfg.Hooks.Event = func(e Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Err != nil {
						events = append(events, e.Err.Error())
					}
				}
			})

			client.uploadWait = 5 * time.Millisecond
			f, _ := testFirmware(200_000)
			err := client.UploadFirmware(within(t), f)
			client.Close()
			switch {
			case c.class == nil && err != nil:
				t.Errorf("got error %v, want none", err)
			case c.class != nil && (!errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %v that says %q", err, c.class, c.want)
			}

			mu.Lock()
			defer mu.Unlock()
			if tries != c.tries {
				t.Errorf("%d tries, want %d", tries, c.tries)
			}
			all := log.String() + strings.Join(events, "\n")
			if err != nil {
				all += err.Error()
			}
			if strings.Contains(all, "canary") {
				t.Errorf("got the address in %s, want it shown nowhere", all)
			}
		})
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func TestFirmwareWithBadFieldsIsRefused(t *testing.T) {
	good, _ := testFirmware(10)
	for name, edit := range map[string]func(*Firmware){
		"empty":     func(f *Firmware) { f.Size = 0 },
		"no body":   func(f *Firmware) { f.Body = nil },
		"no type":   func(f *Firmware) { f.DeviceType = "" },
		"bad type":  func(f *Firmware) { f.DeviceType = "a/b" },
		"no hash":   func(f *Firmware) { f.GitHash = "" },
		"bad brand": func(f *Firmware) { f.Branch = "a\x00" },
	} {
		f := good
		edit(&f)
		if err := f.validate(); !errors.Is(err, ErrBadData) {
			t.Errorf("%s: got %v, want %v", name, err, ErrBadData)
		}
	}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
}

// answerWithAddress has a broker answer each request with an address to store at.
func answerWithAddress(b *mqtttest.Broker, address string) {
	b.OnPacket = func(fc *mqtttest.Conn, p *packets.ControlPacket) bool {
		m, ok := p.Content.(*packets.Publish)
		if !ok {
			return false
		}
		fc.Puback(m.PacketID, 0)
		var req struct {
			UploadID json.Number `json:"upload_id"`
		}
		json.Unmarshal(m.Payload, &req)
		reply, _ := json.Marshal(map[string]any{"upload_id": req.UploadID, "presigned_url": address})
		fc.Message("upload/v0/7/"+req.UploadID.String(), reply, nil)
		return true
	}
}
