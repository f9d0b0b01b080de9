package mqttv5

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// Config says where the cloud is and who is calling. The zero value plus
// CustomerID, CertFile and KeyFile is a working configuration.
type Config struct {
	// Broker is the host name or address of the MQTT broker, without a port.
	// Default: "mqtt.ulogger.ai".
	Broker string

	// Port is the broker's TCP port. On 443 the client asks for MQTT by ALPN,
	// as AWS IoT Core needs it. Default: 8883.
	Port int

	// CertFile holds the client certificate (chain) in PEM. It is read again for
	// every connection, so that a renewed one is used without a restart.
	// Default: none, required unless InsecurePlaintext.
	CertFile string

	// KeyFile holds the private key in PEM, unencrypted. It must not be readable
	// by others. Default: none, required unless InsecurePlaintext.
	KeyFile string

	// CAFile holds the certificates, in PEM, that the broker's certificate must
	// lead to. Default: the system's roots.
	CAFile string

	// CustomerID is the account, the first variable segment of every topic.
	// Default: none, required.
	CustomerID string

	// GroupID is the group segment after the customer that newer accounts have.
	// Default: none.
	GroupID string

	// TokenTimeout bounds one boot handshake, and one attempt to connect.
	// Default: 15 s.
	TokenTimeout time.Duration

	// Store keeps session tokens. Default: NewMemoryStore(0).
	Store SessionStore

	// InsecurePlaintext connects without TLS. Only loopback addresses are
	// accepted. Default: false.
	InsecurePlaintext bool

	// Tuning adapts the connection. Default: made for AWS IoT Core.
	Tuning Tuning

	// Hooks let the caller see what happens. Default: none.
	Hooks Hooks
}

// Tuning holds the numbers of a connection. The defaults respect the limits of
// AWS IoT Core (MQTT facts, section AWS).
type Tuning struct {
	// ClientID is the MQTT client identifier. Two connections with one identifier
	// evict each other. Default: "cust-CUSTOMER-uploader-RANDOM".
	ClientID string

	// KeepAlive is the longest silence before a ping; a dead link is noticed
	// within twice this time. Default: 60 s.
	KeepAlive time.Duration

	// AckTimeout is how long the broker may take to acknowledge, beyond the time
	// that the bytes in flight need at 2 KiB/s. After it the connection is closed.
	// Default: 30 s.
	AckTimeout time.Duration

	// MaxInFlight is the most messages sent and not yet acknowledged; the
	// broker's own limit applies as well. Default: 100.
	MaxInFlight int

	// PublishesPerSecond limits the rate of messages; negative is no limit.
	// Default: 100.
	PublishesPerSecond float64

	// BytesPerSecond limits the rate of message bytes; negative is no limit.
	// Default: 524288.
	BytesPerSecond float64

	// MinBackoff is the least upper bound of the random wait before connecting
	// again; it is also the least time between two attempts. Default: 1 s.
	MinBackoff time.Duration

	// MaxBackoff is the greatest upper bound of that wait. Default: 120 s.
	MaxBackoff time.Duration

	// MaxMessage is the longest payload in bytes. The limit the broker names when
	// it accepts the connection applies as well. Default: 131072.
	MaxMessage int
}

// Hooks let the caller see what happens. They are called from the client's own
// goroutines and must not block.
type Hooks struct {
	// Logger gets connection events; never tokens, keys, payloads or presigned
	// addresses. Default: discards.
	Logger *slog.Logger

	// Event gets one call for each thing of note. Default: none.
	Event func(Event)

	// WrapConn wraps the transport below MQTT and above TLS, for captures and
	// fault injection: it sees plain MQTT bytes. Default: none.
	WrapConn func(net.Conn) net.Conn
}

// Defaults of Config and Tuning.
const (
	DefaultBroker       = "mqtt.ulogger.ai"
	DefaultPort         = 8883
	DefaultTokenTimeout = 15 * time.Second
	DefaultMaxMessage   = 128 << 10
)

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// withDefaults returns the configuration with its defaults filled in, or what is
// wrong with it.
func (c Config) withDefaults() (Config, error) {
	orDefault(&c.Broker, DefaultBroker)
	orDefault(&c.Port, DefaultPort)
	orDefault(&c.TokenTimeout, DefaultTokenTimeout)
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
	}
	t := &c.Tuning
	orDefault(&t.KeepAlive, 60*time.Second)
	orDefault(&t.AckTimeout, 30*time.Second)
	orDefault(&t.MaxInFlight, 100)
	orDefault(&t.PublishesPerSecond, 100)
	orDefault(&t.BytesPerSecond, 512<<10)
	orDefault(&t.MinBackoff, time.Second)
	orDefault(&t.MaxBackoff, 120*time.Second)
	orDefault(&t.MaxMessage, DefaultMaxMessage)
	if c.Hooks.Logger == nil {
		c.Hooks.Logger = slog.New(slog.DiscardHandler)
	}
	if err := c.check(); err != nil {
		return Config{}, &Error{Op: "check configuration", Class: ErrConfig, Err: err}
	}
	if t.ClientID == "" {
		t.ClientID = "cust-" + c.CustomerID + "-uploader-" + randomHex(6)
	}
	return c, nil
}

func (c Config) check() error {
	if c.CustomerID == "" {
		return errors.New("field CustomerID is empty; it is the number of your uLogger account")
	}
	for _, f := range [...]struct {
		name, value string
	}{{"CustomerID", c.CustomerID}, {"GroupID", c.GroupID}} {
		if err := device.CheckName(f.value, device.MaxName, true); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := device.CheckName(c.Tuning.ClientID, 128, false); err != nil {
		return fmt.Errorf("field Tuning.ClientID: %w", err)
	}
	if strings.ContainsAny(c.Broker, "/@ \t\r\n") {
		return fmt.Errorf("field Broker %q is not a host name; leave out the scheme and path", c.Broker)
	}
	if host, _, err := net.SplitHostPort(c.Broker); err == nil {
		return fmt.Errorf("field Broker %q holds a port; set Broker to %q and Port to the number", c.Broker, host)
	}
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("field Port %d is not between 1 and 65535", c.Port)
	}
	t := c.Tuning
	for _, f := range [...]struct {
		name     string
		v        time.Duration
		min, max time.Duration
	}{
		{"TokenTimeout", c.TokenTimeout, time.Millisecond, time.Hour},
		{"Tuning.KeepAlive", t.KeepAlive, time.Second, 65535 * time.Second},
		{"Tuning.AckTimeout", t.AckTimeout, time.Millisecond, time.Hour},
		{"Tuning.MinBackoff", t.MinBackoff, time.Millisecond, time.Hour},
		{"Tuning.MaxBackoff", t.MaxBackoff, t.MinBackoff, 24 * time.Hour},
	} {
		if f.v < f.min || f.v > f.max {
			return fmt.Errorf("%s %v is not between %v and %v", f.name, f.v, f.min, f.max)
		}
	}
	if t.MaxInFlight < 1 || t.MaxInFlight > 65535 {
		return fmt.Errorf("field Tuning.MaxInFlight %d is not between 1 and 65535", t.MaxInFlight)
	}
	if t.MaxMessage < 1 || t.MaxMessage > DefaultMaxMessage {
		return fmt.Errorf("field Tuning.MaxMessage %d is not between 1 and %d", t.MaxMessage, DefaultMaxMessage)
	}
	if c.InsecurePlaintext {
		if !isLoopback(c.Broker) {
			return fmt.Errorf("field InsecurePlaintext is for loopback only, and %q is not a loopback address", c.Broker)
		}
		return nil
	}
	if c.CertFile == "" {
		return errors.New("field CertFile is empty; it names the client certificate the cloud gave you")
	}
	if c.KeyFile == "" {
		return errors.New("field KeyFile is empty; it names the private key that belongs to the certificate")
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// address returns host:port for dialing and for errors.
func (c Config) address() string {
	return net.JoinHostPort(strings.Trim(c.Broker, "[]"), strconv.Itoa(c.Port))
}
