package localcloud

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"
)

// Config says where the cloud listens and what it keeps.
type Config struct {
	// Listen is the loopback address to listen on. Default: "127.0.0.1:0".
	Listen string

	// Dir is where certificates go (certs/) and what is received
	// (received/...). Default: a temporary directory for the certificates, removed
	// by Close, and nothing received is written.
	Dir string

	// Plaintext listens without TLS. Default: false.
	Plaintext bool

	// CustomerID is the only customer served. Default: any.
	CustomerID string

	// OnReceive is called for each message received, before it is acknowledged.
	// Default: none.
	OnReceive func(Received)

	// Strict imitates limits and habits of the real cloud. Default: none.
	Strict Strict

	// KeepBytes bounds the payloads kept in memory; older ones are forgotten,
	// their Received stays. Default: 64 MiB.
	KeepBytes int

	// Logger gets what happens. Default: discards.
	Logger *slog.Logger
}

// Strict holds what the real cloud does and a friendly broker does not.
type Strict struct {
	MaxPacket      uint32        // Maximum Packet Size, in bytes, told and enforced; 0: 132 KiB
	ReceiveMaximum uint16        // messages it takes unacknowledged; 0: 1024
	SilentBoot     bool          // boot requests get no answer
	SubackDelay    time.Duration // a SUBACK is sent this much before the subscription works
}

// Kind is what a message is.
type Kind string

// Kinds of messages.
const (
	KindLog      Kind = "log"
	KindCoreDump Kind = "core-dump"
	KindText     Kind = "text"
	KindFirmware Kind = "firmware"
)

// Received is one message that the cloud got.
type Received struct {
	ID            string // record id: user property "ulogkit-id"; empty when the sender gave none
	Kind          Kind
	Topic         string
	ApplicationID uint32
	DeviceSerial  string // whom the session token, or the dump's header, names
	Token         uint32 // session token in a log
	Bytes         int
	SHA256        [sha256.Size]byte
	Payload       []byte // nil when forgotten; see Config.KeepBytes
	Err           error  // what is wrong with it; nil when verified
	File          string // where it was written; empty when it was not
	Time          time.Time
}

// Cloud is a running stand-in.
type Cloud struct{ cfg Config }

// Start starts the broker and the stand-in cloud. They stop when ctx ends or
// Close is called.
func Start(ctx context.Context, cfg Config) (*Cloud, error) {
	return nil, errors.New("not written yet")
}

// Addr returns the broker's host:port.
func (c *Cloud) Addr() string { return "" }

// Host returns the broker's address without the port.
func (c *Cloud) Host() string { return "" }

// Port returns the broker's port.
func (c *Cloud) Port() int { return 0 }

// CAFile returns the name of the file with the certificate of the throwaway CA.
func (c *Cloud) CAFile() string { return "" }

// CertFile returns the name of the file with a client certificate.
func (c *Cloud) CertFile() string { return "" }

// KeyFile returns the name of the file with the client's private key.
func (c *Cloud) KeyFile() string { return "" }

// Token returns the token the cloud gave a device, if it did.
func (c *Cloud) Token(applicationID uint32, serial string) (uint32, bool) { return 0, false }

// Received returns what was received so far, in order.
func (c *Cloud) Received() []Received { return nil }

// WaitReceived waits until n messages have been received and returns all.
func (c *Cloud) WaitReceived(ctx context.Context, n int) ([]Received, error) { return nil, nil }

// Close stops the cloud, closes its connections and removes its temporary files.
func (c *Cloud) Close() error { return nil }
