// Package connection says where the cloud is, who is calling and what they hear of
// it: the configuration that the uploader and the ingest workers have in common.
package connection

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
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

	// Lent is a connection that the program has already, to be used instead of one of
	// the client's own: see package lent. The client then neither connects, pings nor
	// closes; Broker and Port only say whose session tokens these are, and there are
	// no CertFile and KeyFile. An ingest worker takes none. Default: none.
	Lent lent.Connection

	// CertFile holds the client certificate (chain) in PEM. It is read again for
	// every connection, so that a renewed one is used without a restart.
	// Default: none, required unless InsecurePlaintext or Lent.
	CertFile string

	// KeyFile holds the private key in PEM, unencrypted. It must not be readable
	// by others. Default: none, required unless InsecurePlaintext or Lent.
	KeyFile string

	// Certificate gives the client certificate with a key that is held elsewhere,
	// in a TPM or a PKCS#11 token: its PrivateKey need only be a crypto.Signer. It
	// is called for every connection. Default: CertFile and KeyFile are read.
	Certificate func() (*tls.Certificate, error)

	// CAFile holds the certificates, in PEM, that the broker's certificate must
	// lead to. Default: the system's roots.
	CAFile string

	// CustomerID is the account, the first variable segment of every topic.
	// Default: none, required.
	CustomerID string

	// GroupID is the group segment after the customer that newer accounts have.
	// Default: none.
	GroupID string

	// TopicPrefix stands before every topic, such as "ulogger/" where a local broker
	// bridges these to the cloud. It ends in '/'. Default: none.
	TopicPrefix string

	// TokenTimeout bounds one boot handshake, and one attempt to connect.
	// Default: 15 s.
	TokenTimeout time.Duration

	// Store keeps session tokens. Default: tokens.NewMemory(0).
	Store tokens.Store

	// InsecurePlaintext connects without TLS. Only loopback addresses are
	// accepted. Default: false.
	InsecurePlaintext bool

	// AllowNoSubscriber takes a message for delivered of which the broker says that
	// nobody was subscribed to it (PUBACK 0x10): it has dropped it. Default: false, a
	// direct call fails with ErrNobody, and a record stays in its outbox, is tried
	// again for two hours and is then parked.
	AllowNoSubscriber bool

	// Tuning adapts the connection. Default: made for AWS IoT Core.
	Tuning Tuning

	// Hooks let the caller see what happens. Default: none.
	Hooks Hooks
}

// Tuning holds the numbers of a connection: ClientID, KeepAlive, AckTimeout,
// MaxInFlight, PublishesPerSecond, BytesPerSecond, MinBackoff, MaxBackoff, Proxy and
// MaxMessage. The rates are limited by default for mqtt.ulogger.ai and
// *.amazonaws.com alone, to what AWS IoT Core allows.
type Tuning = link.Tuning

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
	DefaultBroker       = link.DefaultBroker
	DefaultPort         = link.DefaultPort
	DefaultTokenTimeout = link.DefaultTimeout
	DefaultMaxMessage   = link.DefaultMaxMessage

	NoProxy = link.NoProxy // as Tuning.Proxy: no proxy, whatever the environment says
)
