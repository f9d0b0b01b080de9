package mqttv5

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		os.Exit(runChild(mode, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func testDevice(n int) DeviceInfo {
	return DeviceInfo{
		ApplicationID: 42, DeviceSerial: fmt.Sprintf("SN%05d", n), DeviceType: "board",
		GitVersion: "1.2.3", GitHash: "0123456789abcdef0123456789abcdef01234567",
	}
}

// testLog returns a valid log of about size bytes whose content follows from seed.
func testLog(t testing.TB, seed uint64, size int) []byte {
	t.Helper()
	b, err := buildLog(seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func buildLog(seed uint64, size int) ([]byte, error) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return nil, err
	}
	b.TickRateHz, b.Tick = 32768, uint32(seed)
	for first := true; first || b.Len() < size-64; first = false {
		text := strings.Repeat(string(rune('a'+rnd.IntN(26))), min(max(size-b.Len()-32, 1), 200))
		err := b.Add(&format.Record{
			TickDelta: rnd.Uint32N(1000), Level: format.LevelInfo, Module: 3, FmtAddr: uint32(seed),
			Args: []format.Arg{format.ArgU32(rnd.Uint32()), format.ArgString(text)},
		})
		if err != nil {
			return nil, err
		}
	}
	return b.AppendTo(nil)
}

// testCoreDumps returns the crash dumps of the vectors.
func testCoreDumps(t testing.TB) [][]byte {
	t.Helper()
	raw, err := os.ReadFile("../format/testdata/coredumps.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Hex string `json:"core_hex"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var dumps [][]byte
	for _, v := range list {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		dumps = append(dumps, b)
	}
	if len(dumps) == 0 {
		t.Fatal("no crash dumps in the vectors")
	}
	return dumps
}

func startCloud(t testing.TB, cfg localcloud.Config) *localcloud.Cloud {
	t.Helper()
	c, err := localcloud.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close cloud: %v", err)
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
		TokenTimeout:      10 * time.Second,
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

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
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
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	connection := cfg.connection()
	edit(&connection)
	c, err := open(cfg, connection)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
