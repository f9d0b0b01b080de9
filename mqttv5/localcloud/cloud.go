package localcloud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Config says where the cloud listens and what it keeps.
type Config struct {
	// Listen is the loopback address to listen on. Default: "127.0.0.1:0".
	Listen string

	// Dir is where certificates go (certs/) and what is received (received/).
	// Default: a temporary directory for the certificates, removed by Close, and
	// nothing received is written.
	Dir string

	// Plaintext listens without TLS. Default: false.
	Plaintext bool

	// CustomerID is the only customer served. Default: any.
	CustomerID string

	// Prefix stands before every topic, as where gateways reach the cloud through
	// the bridge of a local broker: "ulogger/". Default: none.
	Prefix string

	// OnReceive is called for each message and firmware received, before it is
	// acknowledged, from several goroutines. Default: none.
	OnReceive func(Received)

	// OnViolation is called for each thing that Strict does not let a client do,
	// from several goroutines. Default: none.
	OnViolation func(Violation)

	// LogConfig is sent to each subscriber to the log configuration of a device,
	// when it subscribes. Default: none.
	LogConfig []byte

	// Strict imitates limits and habits of the real cloud. Default: none.
	Strict Strict

	// KeepBytes bounds the payloads kept in memory; older ones are forgotten,
	// their Received stays. Default: 64 MiB.
	KeepBytes int

	// WrapConn wraps each accepted connection below MQTT and above TLS, for
	// captures: it sees plain MQTT bytes. Default: none.
	WrapConn func(net.Conn) net.Conn

	// Logger gets what happens. Default: discards.
	Logger *slog.Logger
}

// Cloud is a running stand-in.
type Cloud struct {
	cfg       Config
	log       *slog.Logger
	maxPacket uint32
	listener  net.Listener
	files     files
	temp      string // directory to remove at the end
	broker    *mochi.Server
	conns     connections
	issued    *issued
	inbox     *inbox
	limits    *limits
	takeovers *takeovers
	upload    *uploads

	once     sync.Once
	closeErr error
	stop     func() bool
}

// Start starts the broker and the stand-in cloud. They stop when ctx ends or
// Close is called.
func Start(ctx context.Context, cfg Config) (*Cloud, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.KeepBytes == 0 {
		cfg.KeepBytes = 64 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cloud{cfg: cfg, log: cfg.Logger, maxPacket: cfg.Strict.MaxPacket, issued: newIssued(), limits: newLimits(cfg.Strict), takeovers: newTakeovers()}
	if c.maxPacket == 0 {
		c.maxPacket = defaultMaxPacket
	}
	if err := c.open(); err != nil {
		c.shutdown()
		return nil, fault.InClass(classOf(err), fmt.Errorf("start local cloud: %w", err))
	}
	c.stop = context.AfterFunc(ctx, c.shutdown) // not Close: that reads c.stop
	c.log.Info("local cloud listens", "address", c.Addr())
	return c, nil
}

// classOf tells the class of what keeps a cloud from starting: the address, the
// folder, or else the Config.
func classOf(err error) error {
	switch {
	case errors.As(err, new(*net.OpError)):
		return fault.ErrNetwork
	case errors.As(err, new(*fs.PathError)):
		return fault.ErrStorage
	}
	return fault.ErrConfig
}

func (c *Cloud) open() (err error) {
	host, _, err := net.SplitHostPort(c.cfg.Listen)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address; this is not a broker for a network", host)
	}

	if err := topic.CheckPrefix(c.cfg.Prefix); err != nil {
		return fmt.Errorf("prefix %q: %w", c.cfg.Prefix, err)
	}

	// First, so that an address that is taken leaves no files behind.
	if c.listener, err = net.Listen("tcp", c.cfg.Listen); err != nil {
		return err
	}
	received := ""
	dir := c.cfg.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "ulogkit-cloud-"); err != nil {
			return err
		}
		c.temp = dir
	} else {
		if err := durable.MakeDir(dir, 0o755); err != nil {
			return err
		}
		if received, err = durable.Subfolder(dir, "received", 0o755); err != nil {
			return err
		}
	}
	c.inbox = newInbox(received, c.cfg.KeepBytes)

	ca, err := newAuthority()
	if err != nil {
		return err
	}
	certs, err := durable.Subfolder(dir, "certs", 0o755)
	if err != nil {
		return err
	}
	c.files = filesIn(certs)
	if err := c.files.write(ca); err != nil {
		return err
	}
	if c.upload, err = newUploads(c, host, ca); err != nil {
		return err
	}

	var serverTLS *tls.Config
	if !c.cfg.Plaintext {
		if serverTLS, err = ca.serverTLS(host); err != nil {
			return err
		}
	}
	if c.broker, err = newBroker(c, c.listener, serverTLS); err != nil {
		return err
	}
	return c.broker.Serve() // the first client may come before it returns
}

// Close stops the cloud, closes its connections and removes its temporary files.
func (c *Cloud) Close() error {
	if c.stop != nil {
		c.stop()
	}
	c.shutdown()
	return c.closeErr
}

func (c *Cloud) shutdown() {
	c.once.Do(func() {
		var errs []error
		if c.broker != nil {
			errs = append(errs, closeBroker(c.broker, c.listener, &c.conns))
		} else if c.listener != nil {
			errs = append(errs, c.listener.Close())
		}
		if c.upload != nil {
			errs = append(errs, c.upload.close())
		}
		if c.inbox != nil {
			c.inbox.close()
		}
		if c.temp != "" {
			errs = append(errs, os.RemoveAll(c.temp))
		}
		c.closeErr = errors.Join(errs...)
	})
}

// Plaintext reports whether the broker has no TLS.
func (c *Cloud) Plaintext() bool { return c.cfg.Plaintext }

// Addr returns the broker's host:port.
func (c *Cloud) Addr() string { return c.listener.Addr().String() }

// Host returns the broker's address without the port.
func (c *Cloud) Host() string {
	host, _, _ := net.SplitHostPort(c.Addr())
	return host
}

// Port returns the broker's port.
func (c *Cloud) Port() int { return c.listener.Addr().(*net.TCPAddr).Port }

// CAFile returns the name of the file with the certificate of the throwaway CA.
// Firmware goes over HTTPS with it even when the broker has no TLS.
func (c *Cloud) CAFile() string { return c.files.ca }

// CertFile returns the name of the file with a client certificate.
func (c *Cloud) CertFile() string { return c.files.cert }

// KeyFile returns the name of the file with the client's private key.
func (c *Cloud) KeyFile() string { return c.files.key }

// Token returns the token the cloud gave a device last, if it did.
func (c *Cloud) Token(applicationID uint32, serial string) (uint32, bool) {
	return c.issued.current(applicationID, serial)
}

// ForgetTokens makes the cloud forget all session tokens, as if it had lost them.
func (c *Cloud) ForgetTokens() { c.issued.forget() }

// Received returns what was received so far, in order, duplicates included.
func (c *Cloud) Received() []Received { return c.inbox.all() }

// WaitReceived waits until n different messages have been received and returns
// all. When ctx ends first it returns what there is, and an error.
func (c *Cloud) WaitReceived(ctx context.Context, n int) ([]Received, error) {
	return c.inbox.wait(ctx, n)
}

// Publish sends a message to whoever is subscribed to the topic: a log
// configuration to config/v0/..., for example.
func (c *Cloud) Publish(topic string, payload []byte) error {
	return publishReply(c.broker, topic, payload, nil)
}

// Disconnect closes all client connections, as a network failure would.
func (c *Cloud) Disconnect() {
	for _, cl := range c.broker.Clients.GetByListener(listenerID) {
		cl.Net.Conn.Close()
	}
}
