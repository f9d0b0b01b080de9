package mqttv5

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func TestUploadedLogArrivesWithItsTokenPatched(t *testing.T) {
	dir := t.TempDir()
	cloud := startCloud(t, localcloud.Config{Dir: dir})
	c := newClient(t, cloudConfig(cloud))
	dev := testDevice(1)
	buf := testLog(t, 1, 3000)
	before := bytes.Clone(buf)

	r, err := c.UploadLog(within(t), dev, buf)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf, before) {
		t.Error("got the caller's buffer changed, want it as it was")
	}
	got, err := cloud.WaitReceived(within(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	g := got[0]
	token, ok := cloud.Token(dev.ApplicationID, dev.DeviceSerial)
	if !ok || g.Err != nil || g.Token != token || g.DeviceSerial != dev.DeviceSerial || g.ID != r.ID || g.Bytes != len(buf) {
		t.Fatalf("got %+v, want no Err, Token %d (given: %v), DeviceSerial %s, ID %s and Bytes %d", g, token, ok, dev.DeviceSerial, r.ID, len(buf))
	}
	want, _, _ := format.ParseLog(bytes.Clone(buf))
	want.SetSessionToken(token)
	file, err := os.ReadFile(g.File)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want.Bytes()) {
		t.Errorf("got a file of %d bytes, want the log's %d with its token patched", len(file), len(want.Bytes()))
	}
	if r.Code != ReasonSuccess || r.Topic != "binlog/v0/975773647/42" || r.Bytes != len(buf) || r.Latency <= 0 {
		t.Errorf("got receipt %+v, want Code %v, Topic binlog/v0/975773647/42, Bytes %d and a Latency", r, ReasonSuccess, len(buf))
	}
	// The same content again is the same record.
	r2, err := c.UploadLog(within(t), dev, buf)
	if err != nil || r2.ID != r.ID {
		t.Errorf("second upload: got %+v, %v, want ID %s again", r2, err, r.ID)
	}
}

func TestManyDevicesShareOneConnection(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	cfg := cloudConfig(cloud)
	var mu sync.Mutex
	connects := 0
	cfg.Hooks.Event = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == EventConnected {
			connects++
		}
	}

	c := newClient(t, cfg)
	ctx := within(t)
	const devices, logs = 40, 5
	var wg sync.WaitGroup
	for d := range devices {
		wg.Go(func() {
			for n := range logs {
				if _, err := c.UploadLog(ctx, testDevice(d), testLog(t, uint64(d*logs+n), 500)); err != nil {
					t.Error(err)
				}
			}
		})
	}

	wg.Wait()
	got, err := cloud.WaitReceived(ctx, devices*logs)
	if err != nil {
		t.Fatal(err)
	}

	for _, g := range got {
		if g.Err != nil {
			t.Errorf("%s: got error %v, want none", g.DeviceSerial, g.Err)
		}
	}

	mu.Lock()
	defer mu.Unlock()
	if connects != 1 {
		t.Errorf("%d connections, want 1", connects)
	}
}

func TestUploadRefusesBadLogBeforeConnecting(t *testing.T) {
	c := clientOver(t, Config{Broker: "127.0.0.1", Port: 1, CustomerID: "1", InsecurePlaintext: true}, func(connection *link.Config) {
		connection.Dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("got a connection, want none")
			return nil, errors.New("no connection")
		}
	})

	defer c.Close()
	buf := testLog(t, 1, 300)
	buf[40] ^= 1
	_, err := c.UploadLog(t.Context(), testDevice(1), buf)
	if !errors.Is(err, ErrBadData) || !errors.Is(err, format.ErrChecksum) {
		t.Fatalf("got %v, want %v and %v", err, ErrBadData, format.ErrChecksum)
	}

	for _, part := range []string{"checksum", "0x"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}

	dump := formattest.DumpBytes(t)[0]
	if _, err := c.PublishCoreDump(t.Context(), dump[:format.CoreDumpHeaderSize]); !errors.Is(err, ErrBadData) {
		t.Errorf("a header without a dump: got %v, want %v", err, ErrBadData)
	}
	if _, err := c.UploadLog(t.Context(), DeviceInfo{DeviceSerial: "#"}, testLog(t, 1, 300)); !errors.Is(err, ErrBadData) {
		t.Errorf("device named #: got %v, want %v", err, ErrBadData)
	}

	big := make([]byte, DefaultMaxMessage+1)
	if _, err := c.PublishBinaryLog(t.Context(), testDevice(1), big); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "131072") {
		t.Errorf("oversize: got %v, want %v that says 131072", err, ErrTooLarge)
	}
}

func TestPublishedCoreDumpsArriveUnaltered(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	c := newClient(t, cloudConfig(cloud))
	dumps := formattest.DumpBytes(t)
	for _, d := range dumps {
		if _, err := c.PublishCoreDump(within(t), d); err != nil {
			t.Fatal(err)
		}
	}
	got, err := cloud.WaitReceived(within(t), len(dumps))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range got {
		if g.Kind != localcloud.KindCoreDump || g.Err != nil || !bytes.Equal(g.Payload, dumps[i]) || g.DeviceSerial == "" {
			t.Errorf("dump %d: got %+v, want Kind %v, no Err, a DeviceSerial and the %d bytes as they are", i, g, localcloud.KindCoreDump, len(dumps[i]))
		}
	}
}

// A dump whose checksum is wrong is sent, as no device writes it a second time; the
// receipt says so.
func TestDamagedDumpIsPublishedAndNamedInItsReceipt(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	c := newClient(t, cloudConfig(cloud))
	dump := formattest.DumpBytes(t)[0]
	dump[len(dump)-1] ^= 1
	receipt, err := c.PublishCoreDump(within(t), dump)
	if err != nil || !errors.Is(receipt.Odd, format.ErrChecksum) {
		t.Errorf("receipt says %v, error is %v, want %v", receipt.Odd, err, format.ErrChecksum)
	}
	got, err := cloud.WaitReceived(within(t), 1)
	if err != nil || !bytes.Equal(got[0].Payload, dump) {
		t.Errorf("%d messages, %v, want the dump as it is", len(got), err)
	}
}

func TestGroupIsPartOfTheTopics(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	cfg := cloudConfig(cloud)
	cfg.GroupID = "g7"
	c := newClient(t, cfg)
	r, err := c.UploadLog(within(t), testDevice(1), testLog(t, 1, 100))
	if err != nil {
		t.Fatal(err)
	}
	if r.Topic != "binlog/v0/975773647/g7/42" {
		t.Errorf("got topic %s, want binlog/v0/975773647/g7/42", r.Topic)
	}
	if got := cloud.Received(); len(got) != 1 || got[0].Err != nil {
		t.Errorf("got %+v, want one message without Err", got)
	}
}

// Each failure that a newcomer meets gives one sentence, and none keeps him waiting for
// ever.
func TestEachFailureGivesOneClearSentence(t *testing.T) {
	t.Parallel() // it waits
	cloud := startCloud(t, localcloud.Config{Strict: localcloud.Strict{SilentBoot: true}})
	other := startCloud(t, localcloud.Config{})
	good := cloudConfig(cloud)
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	alerting, err := net.Listen("tcp", "127.0.0.1:0") // speaks TLS, and says so to who does not
	if err != nil {
		t.Fatal(err)
	}
	var alerts sync.WaitGroup
	alerts.Go(func() {
		for {
			conn, err := alerting.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte{0x15, 3, 3, 0, 2, 2, 70}) // fatal, protocol_version
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	})
	defer alerts.Wait()
	defer alerting.Close()

	for _, test := range []struct {
		name  string
		edit  func(*Config)
		class error
		want  []string
	}{
		{"wrong client certificate", func(c *Config) { c.CertFile, c.KeyFile = other.CertFile(), other.KeyFile() }, ErrCredentials, []string{"client certificate", other.CertFile()}},
		{"missing key", func(c *Config) { c.KeyFile = dir + "/none" }, ErrCredentials, []string{"private key", "/none", "no such file"}},
		{"key of another", func(c *Config) { c.KeyFile = other.KeyFile() }, ErrCredentials, []string{"pair"}},
		{"open key", func(c *Config) { c.KeyFile = write("open.key", read(c.KeyFile), 0o644) }, ErrCredentials, []string{"0644", "chmod 600"}},
		{"encrypted key", func(c *Config) {
			c.KeyFile = write("enc.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", 0o600)
		}, ErrCredentials, []string{"passphrase", "openssl pkey"}},
		{"key is not PEM", func(c *Config) { c.KeyFile = write("der.key", "\x30\x82", 0o600) }, ErrCredentials, []string{"not PEM"}},
		{"unknown CA", func(c *Config) { c.CAFile = other.CAFile() }, ErrNetwork, []string{"authority that is not trusted", "CA file"}},
		{"empty CA", func(c *Config) { c.CAFile = write("ca.pem", "-----BEGIN X-----\n-----END X-----\n", 0o600) }, ErrCredentials, []string{"no certificate"}},
		{"unreachable", func(c *Config) { c.Port = 1 }, ErrNetwork, []string{"connection refused", "port"}},
		{"silent port", func(c *Config) {
			c.Port, c.TokenTimeout = silent.Addr().(*net.TCPAddr).Port, 500*time.Millisecond
		}, ErrNetwork, []string{"in time"}},
		{"plaintext to TLS", func(c *Config) { c.InsecurePlaintext = true }, ErrNetwork, []string{"closed the connection; the broker may expect TLS"}},
		{"plaintext to TLS, with an alert", func(c *Config) {
			c.InsecurePlaintext, c.Port = true, alerting.Addr().(*net.TCPAddr).Port
		}, ErrNetwork, []string{"; the broker may expect TLS"}},
		{"unknown host", func(c *Config) {
			c.Broker, c.TokenTimeout = "no-such-host.invalid", 500*time.Millisecond // where no DNS answers
		}, ErrNetwork, []string{"no-such-host.invalid", "resolved"}},
		{"silent boot topic", func(c *Config) { c.TokenTimeout = 5 * time.Second }, ErrNetwork, []string{"no answer to the boot request on boot/v0/975773647/42/SN00001 within 5s", "check customer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good
			test.edit(&cfg)
			c, err := New(cfg)
			if err == nil {
				_, err = c.UploadLog(within(t), testDevice(1), testLog(t, 1, 100))
				c.Close()
			}
			if err == nil {
				t.Fatalf("got no error, want %v", test.class)
			}
			t.Log(err)
			if !errors.Is(err, test.class) {
				t.Errorf("got %q, want it of class %q", err, test.class)
			}
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("got %q, want one line", err)
			}
			for _, w := range test.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got %q, want %q in it", err, w)
				}
			}
		})
	}
	if n := len(cloud.Received()) + len(other.Received()); n != 0 {
		t.Errorf("got %d messages, want none", n)
	}
}

func TestClosedClientRefusesUploads(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	c := newClient(t, cloudConfig(cloud))
	if err := c.Connect(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadLog(t.Context(), testDevice(1), testLog(t, 1, 100)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, ErrClosed)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: got %v, want no error", err)
	}
}

// Three packages know how long a message may be, and do not know each other.
func TestPackagesAgreeOnTheLimitOfAMessage(t *testing.T) {
	if link.DefaultMaxMessage != payload.Max || DefaultMaxMessage != payload.Max {
		t.Errorf("got limits %d, %d and %d, want the same", link.DefaultMaxMessage, payload.Max, DefaultMaxMessage)
	}
}
