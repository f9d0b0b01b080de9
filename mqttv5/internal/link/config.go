package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

// Defaults of Config and Tuning.
const (
	DefaultBroker     = "mqtt.ulogger.ai"
	DefaultPort       = 8883
	DefaultTimeout    = 15 * time.Second
	DefaultMaxMessage = 128 << 10
)

// Config says where the broker is, who is calling, and what becomes of messages
// that arrive. The packages that use a link have configurations of their own, of
// which this is made.
type Config struct {
	// Broker is the host name or address of the broker, without a port. Default:
	// DefaultBroker.
	Broker string

	// Port is the broker's TCP port; on 443 MQTT is asked for by ALPN. Default:
	// DefaultPort.
	Port int

	// Lent is a connection of the host's, instead of one of our own; broker and port
	// say whose it is. Default: none.
	Lent lent.Connection

	// Credentials are the files of mutual TLS. Default: none, required unless
	// InsecurePlaintext.
	Credentials Credentials

	// InsecurePlaintext connects without TLS, to loopback only. Default: false.
	InsecurePlaintext bool

	// Timeout bounds one attempt to connect, and one Request. Default:
	// DefaultTimeout.
	Timeout time.Duration

	// Tuning holds the numbers of a connection. ClientID is required.
	Tuning Tuning

	// Pace holds the waits after what a broker says. Default: those of MQTT facts.
	Pace Pace

	// Inbox makes the broker keep a session, and every message that arrives wait in
	// Link.Inbox. Default: none; messages go to what Handle names, are acknowledged
	// at once, and the session ends with the connection.
	Inbox *Inbox

	// Rival says how to give each client an identifier of its own. Default: "give
	// each gateway its own client identifier (field Tuning.ClientID)".
	Rival string

	// Logger is told of connections. Default: discards.
	Logger *slog.Logger

	// Event is told of connections; it must not block. Default: nobody.
	Event func(Event)

	// Dial opens the transport below TLS. Default: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// WrapConn wraps the transport between TLS and MQTT. Default: none.
	WrapConn func(net.Conn) net.Conn
}

// Credentials are files in PEM. They are read again for every connection, so that
// renewed ones are used without a restart.
type Credentials struct {
	CertFile string // client certificate (chain)
	KeyFile  string // private key, unencrypted, not readable by others
	CAFile   string // what the broker's certificate must lead to; empty is the system's roots

	// Certificate gives the certificate and a key that is held elsewhere, instead
	// of CertFile and KeyFile. It is called for every connection.
	Certificate func() (*tls.Certificate, error)
}

// Inbox says how much may wait.
type Inbox struct {
	ReceiveMaximum int           // most messages that are not acknowledged at one time
	MaxPacket      int           // longest packet in bytes after its fixed header
	SessionExpiry  time.Duration // how long the broker keeps what belongs to a client that is away
}

// Tuning adapts a connection.
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
	// Default: 100 for mqtt.ulogger.ai and *.amazonaws.com, no limit for others.
	PublishesPerSecond float64

	// BytesPerSecond limits the rate of message bytes; negative is no limit.
	// Default: 524288 for mqtt.ulogger.ai and *.amazonaws.com, no limit for others.
	BytesPerSecond float64

	// MinBackoff is the least upper bound of the random wait before connecting
	// again; it is also the least time between two attempts. Default: 1 s.
	MinBackoff time.Duration

	// MaxBackoff is the greatest upper bound of that wait. Default: 120 s.
	MaxBackoff time.Duration

	// Proxy is the address of a proxy, http://, https:// or socks5://, with
	// USER:PASSWORD@ if it wants that; NoProxy is none. Default: HTTPS_PROXY or
	// ALL_PROXY of the environment, but not for loopback addresses and what NO_PROXY
	// names.
	Proxy string

	// MaxMessage is the longest payload in bytes. The limit the broker names when
	// it accepts the connection applies as well. Default: 131072.
	MaxMessage int
}

// orDefault gives a field that is zero its default.
func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// WithDefaults returns the configuration with its defaults filled in, or what is
// wrong with it. Files are not looked at.
func (c Config) WithDefaults() (Config, error) {
	orDefault(&c.Broker, DefaultBroker)
	orDefault(&c.Port, DefaultPort)
	orDefault(&c.Timeout, DefaultTimeout)
	orDefault(&c.Rival, "give each gateway its own client identifier (field Tuning.ClientID)")

	t := &c.Tuning
	orDefault(&t.KeepAlive, 60*time.Second)
	orDefault(&t.AckTimeout, 30*time.Second)
	orDefault(&t.MaxInFlight, 100)
	if !limitedByAWS(c.Broker) {
		orDefault(&t.PublishesPerSecond, -1)
		orDefault(&t.BytesPerSecond, -1)
	}
	orDefault(&t.PublishesPerSecond, awsPublishes)
	orDefault(&t.BytesPerSecond, awsBytes)
	orDefault(&t.MinBackoff, time.Second)
	longest := 120 * time.Second
	if c.Lent != nil {
		longest = 5 * time.Second // it is the host who must not connect too often
	}
	orDefault(&t.MaxBackoff, longest)
	orDefault(&t.MaxMessage, DefaultMaxMessage)
	c.Pace.fill()

	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Event == nil {
		c.Event = func(Event) {}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}

	if err := c.check(); err != nil {
		return Config{}, &fault.Error{Op: "check configuration", Class: fault.ErrConfig, Err: err}
	}
	return c, nil
}

// check returns what is wrong with a configuration whose defaults are filled in.
func (c *Config) check() error {
	if err := checkClientID(c.Tuning.ClientID); err != nil {
		return fmt.Errorf("field Tuning.ClientID: %w", err)
	}
	if strings.ContainsAny(c.Broker, "/@ \t\r\n") {
		return fmt.Errorf("field Broker %q is not a host name; leave out the scheme and path", c.Broker)
	}

	if host, _, err := net.SplitHostPort(c.Broker); err == nil {
		return fmt.Errorf("field Broker %q holds a port; set it to %q and field Port to the number", c.Broker, host)
	}
	if c.Port < 1 || c.Port > 65535 {
		return fmt.Errorf("field Port %d is not between 1 and 65535", c.Port)
	}

	if err := c.checkNumbers(); err != nil {
		return err
	}
	if _, err := c.ProxyURL(); err != nil {
		return err
	}

	if c.Lent != nil {
		return c.checkLent()
	}
	if c.InsecurePlaintext {
		if !isLoopback(c.Broker) {
			return fmt.Errorf("field InsecurePlaintext is for loopback only, and %q is not a loopback address", c.Broker)
		}
		return nil
	}

	if c.Credentials.Certificate != nil {
		if c.Credentials.CertFile != "" || c.Credentials.KeyFile != "" {
			return errors.New("field Certificate is set, and so is field CertFile or field KeyFile; give one or the other")
		}
		return nil
	}
	if c.Credentials.CertFile == "" {
		return errors.New("field CertFile is empty; it names the client certificate the cloud gave you")
	}
	if c.Credentials.KeyFile == "" {
		return errors.New("field KeyFile is empty; it names the private key that belongs to the certificate")
	}
	return nil
}

// checkLent refuses what is the host's to decide.
func (c *Config) checkLent() error {
	for name, set := range map[string]bool{
		"CertFile": c.Credentials.CertFile != "", "KeyFile": c.Credentials.KeyFile != "", "Certificate": c.Credentials.Certificate != nil,
		"InsecurePlaintext": c.InsecurePlaintext, "Tuning.Proxy": c.Tuning.Proxy != "", "Hooks.WrapConn": c.WrapConn != nil,
	} {
		if set {
			return fmt.Errorf("field %s is set, and the connection is lent, which has been made already; give one or the other", name)
		}
	}
	return nil
}

// checkNumbers checks the bounds of Timeout and Tuning.
func (c *Config) checkNumbers() error {
	t := &c.Tuning
	for _, f := range [...]struct {
		name     string
		v        time.Duration
		min, max time.Duration
	}{
		{"TokenTimeout", c.Timeout, time.Millisecond, time.Hour}, // its name in the configurations that people write
		{"Tuning.KeepAlive", t.KeepAlive, time.Second, 65535 * time.Second},
		{"Tuning.AckTimeout", t.AckTimeout, time.Millisecond, time.Hour},
		{"Tuning.MinBackoff", t.MinBackoff, time.Millisecond, time.Hour},
		{"Tuning.MaxBackoff", t.MaxBackoff, t.MinBackoff, 24 * time.Hour},
	} {
		if f.v < f.min || f.v > f.max {
			return fmt.Errorf("field %s %v is not between %v and %v", f.name, f.v, f.min, f.max)
		}
	}

	if t.MaxInFlight < 1 || t.MaxInFlight > 65535 {
		return fmt.Errorf("field Tuning.MaxInFlight %d is not between 1 and 65535", t.MaxInFlight)
	}
	if t.MaxMessage < 1 || t.MaxMessage > DefaultMaxMessage {
		return fmt.Errorf("field Tuning.MaxMessage %d is not between 1 and %d", t.MaxMessage, DefaultMaxMessage)
	}
	return nil
}

// checkClientID reports what makes s no client identifier that a broker takes.
func checkClientID(s string) error {
	const limit = 128 // AWS IoT Core's
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > limit:
		return fmt.Errorf("%d bytes long, the limit is %d", len(s), limit)
	case !utf8.ValidString(s):
		return errors.New("not valid UTF-8")
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		return fmt.Errorf("the character at byte %d is not allowed", i)
	}
	return nil
}

// What AWS IoT Core allows to one connection (MQTT facts, section AWS).
const (
	awsPublishes = 100
	awsBytes     = 512 << 10
)

// limitedByAWS reports whether a broker is known to have the limits of AWS IoT Core.
func limitedByAWS(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == DefaultBroker || strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// Address returns host:port for dialing and for errors.
func (c *Config) Address() string {
	return net.JoinHostPort(strings.Trim(c.Broker, "[]"), strconv.Itoa(c.Port))
}
