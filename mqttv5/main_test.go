package mqttv5

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"work": childWork, "full": childFull, "drain": childDrain})
	goleak.VerifyTestMain(m)
}

func testDevice(n int) DeviceInfo { return devicetest.Info(n) }

func testLog(t testing.TB, seed uint64, size int) []byte { return devicetest.Log(t, seed, size) }

func startCloud(t testing.TB, cfg localcloud.Config) *localcloud.Cloud {
	t.Helper()
	c, err := localcloud.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close cloud: got %v, want no error", err)
		}
	})
	return c
}

// cloudConfig returns a configuration for a local cloud, without rate limits.
func cloudConfig(c *localcloud.Cloud) Config {
	return Config{
		Broker: c.Host(), Port: c.Port(), CustomerID: "975773647",
		CAFile: c.CAFile(), CertFile: c.CertFile(), KeyFile: c.KeyFile(),
		InsecurePlaintext: c.Plaintext(),
		TokenTimeout:      time.Minute,
		Tuning:            Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
	}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// patience is how long a test waits for what must come. It is long, for machines that
// are slow and busy: a wait ends when the thing is there.
const patience = 2 * time.Minute

// within returns a context for what must come.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// fakeClient returns a client of a fake broker. The caller closes it: within a
// synctest bubble cleanups come too late.
func fakeClient(t testing.TB, b *mqtttest.Broker, edit func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Broker: "127.0.0.1", CustomerID: "7", InsecurePlaintext: true,
		Tuning: Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, ClientID: "gateway"},
	}
	if edit != nil {
		edit(&cfg)
	}
	return clientOver(t, cfg, func(c *link.Config) { c.Dial = b.Dial })
}

// clientOver returns a client whose connection is configured by edit.
func clientOver(t testing.TB, cfg Config, edit func(*link.Config)) *Client {
	t.Helper()
	cfg, err := withDefaults(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connection := linkConfig(cfg)
	edit(&connection)
	c, err := open(cfg, connection)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
