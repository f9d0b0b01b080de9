package mqttv5

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/connection"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// The configuration is the business of package connection, which the ingest workers
// use as well, and it describes the fields; these are its names for those who import
// mqttv5 alone.
type (
	// Config says where the cloud is and who is calling. Its zero value plus
	// CustomerID, CertFile and KeyFile is a working configuration.
	Config = connection.Config
	Tuning = connection.Tuning // numbers of the connection
	Hooks  = connection.Hooks  // let the caller see what happens

	Event     = connection.Event     // one thing of note
	EventKind = connection.EventKind // says what happened
)

// Kinds of events.
const (
	EventConnected    = connection.Connected
	EventDisconnected = connection.Disconnected
	EventDelivered    = connection.Delivered
	EventNoSubscriber = connection.NoSubscriber
	EventRetried      = connection.Retried
	EventParked       = connection.Parked
	EventThrottled    = connection.Throttled
	EventEvicted      = connection.Evicted
	EventRegistered   = connection.Registered
	EventNotice       = connection.Notice
)

// Defaults of Config and Tuning.
const (
	DefaultBroker       = connection.DefaultBroker
	DefaultPort         = connection.DefaultPort
	DefaultTokenTimeout = connection.DefaultTokenTimeout
	DefaultMaxMessage   = connection.DefaultMaxMessage

	NoProxy = connection.NoProxy // as Tuning.Proxy: no proxy, whatever the environment says
)

// withDefaults returns the configuration with its defaults filled in, or what is
// wrong with it.
func withDefaults(c Config) (Config, error) {
	if c.Store == nil {
		c.Store = NewMemoryStore(0)
	}
	if c.Hooks.Logger == nil {
		c.Hooks.Logger = slog.New(slog.DiscardHandler)
	}
	if err := checkNames(c); err != nil {
		return Config{}, &Error{Op: "check configuration", Class: ErrConfig, Err: err}
	}
	if c.Tuning.ClientID == "" {
		c.Tuning.ClientID = "cust-" + c.CustomerID + "-uploader-" + randomHex(6)
	}

	full, err := linkConfig(c).WithDefaults()
	if err != nil {
		return Config{}, err
	}
	c.Broker, c.Port, c.TokenTimeout, c.Tuning = full.Broker, full.Port, full.Timeout, full.Tuning
	return c, nil
}

// linkConfig returns the part that the connection is made of.
func linkConfig(c Config) link.Config {
	return link.Config{
		Broker: c.Broker, Port: c.Port, Lent: c.Lent,
		Credentials:       link.Credentials{CertFile: c.CertFile, KeyFile: c.KeyFile, CAFile: c.CAFile, Certificate: c.Certificate},
		InsecurePlaintext: c.InsecurePlaintext,
		Timeout:           c.TokenTimeout,
		Tuning:            c.Tuning,
		Logger:            c.Hooks.Logger,
		WrapConn:          c.Hooks.WrapConn,
	}
}

// address returns host:port.
func address(c Config) string {
	l := linkConfig(c)
	return l.Address()
}

// checkNames checks what becomes part of topics.
func checkNames(c Config) error {
	if c.CustomerID == "" {
		return errors.New("field CustomerID is empty; it is the number of your uLogger account")
	}
	for _, f := range [...]struct {
		name, value string
	}{{"CustomerID", c.CustomerID}, {"GroupID", c.GroupID}} {
		if err := device.CheckName(f.value, device.MaxName, true); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if err := topic.CheckPrefix(c.TopicPrefix); err != nil {
		return fmt.Errorf("field TopicPrefix %q: %w", c.TopicPrefix, err)
	}
	// Of all names the one that can take least.
	if _, err := (topic.Topic[string]{Kind: topic.FirmwareReply, Customer: c.CustomerID, UploadID: "0"}).Name(); err != nil {
		return fmt.Errorf("field CustomerID: %w", err)
	}
	return nil
}
