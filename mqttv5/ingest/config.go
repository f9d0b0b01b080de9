package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/connection"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// Config says what a worker takes and where it puts it.
type Config struct {
	// Connection says where the broker is and who is calling: broker, port,
	// credentials, customer and group as for the uploader, whose Logger and WrapConn
	// hooks serve the worker too. Its Store and the numbers about publishing are
	// not used. Default: none, CustomerID and credentials are required.
	Connection connection.Config

	// Group is the name that all workers of one kind share; the broker gives each
	// message to one worker of the group. Default: none, required.
	Group string

	// Name is the worker's own name, for ever: after a crash the broker keeps for
	// it what it had not acknowledged. Two workers with one name throw each other
	// out. Default: the host's name.
	Name string

	// Sink stores the records. Default: none, required.
	Sink Sink

	// Quarantine stores what is not intact, with the reason.
	// Default: Sink, where the Reason tells those records apart.
	Quarantine Sink

	// Kinds are what is taken. Default: all; then text logs, metrics and events, which
	// came later than many policies, are left out where the broker refuses the
	// subscription, and Health names them.
	Kinds []Kind

	// Filters are the topic filters to subscribe to, at most 8, without
	// "$share/GROUP/"; no topic may match two of them. Default: the Kinds of Connection.CustomerID behind its
	// TopicPrefix, of its GroupID if there is one, or else with and without a group
	// segment.
	Filters []string

	// ReceiveMaximum is the most messages that are not acknowledged at one time,
	// and so the largest batch that a sink gets. The broker may have a lower limit.
	// Default: 128.
	ReceiveMaximum int

	// MaxPayload is the longest payload in bytes. A broker discards without a word
	// what is longer. Default: 131072, the cloud's limit.
	MaxPayload int

	// SessionExpiry is how long the broker keeps what belongs to a worker that is
	// away, in whole seconds. Default: 24 h.
	SessionExpiry time.Duration

	// Window is the number of messages among which the worker recognises copies,
	// for ten minutes at most; each takes about 40 bytes. Default: 65536.
	Window int

	// Leave makes Run end the worker's part in the group for good: it unsubscribes,
	// stores what the broker still had for it, and ends the session. Default: false,
	// the worker comes back.
	Leave bool

	optional []string // of Filters, those that a broker may refuse
}

// windowAge is the longest time that a message is remembered to recognise copies.
const windowAge = 10 * time.Minute

// room is what a packet may have in bytes besides its payload: topic and
// properties.
const room = 4 << 10

// maxFilters is the most filters that every broker takes in one packet (MQTT facts,
// section AWS).
const maxFilters = 8

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// withDefaults returns the configuration with its defaults filled in, or what is
// wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return Config{}, fmt.Errorf("name of the host, for field Name: %w", err)
		}
		c.Name = host
	}

	orDefault(&c.ReceiveMaximum, 128)
	orDefault(&c.MaxPayload, connection.DefaultMaxMessage)
	orDefault(&c.SessionExpiry, 24*time.Hour)
	orDefault(&c.Window, defaultWindow)
	if c.Quarantine == nil {
		c.Quarantine = c.Sink
	}

	if err := c.check(); err != nil {
		return Config{}, err
	}
	conn := &c.Connection
	if len(c.Filters) == 0 {
		if conn.CustomerID == "" {
			return Config{}, errors.New("field CustomerID of Connection is empty; it is the account whose uploads are taken")
		}

		var err error
		all := len(c.Kinds) == 0
		if all {
			c.Kinds = AllKinds()
		}
		if c.Filters, err = filters(conn.TopicPrefix, conn.CustomerID, conn.GroupID, c.Kinds); err != nil {
			return Config{}, err
		}
		if all {
			later := slices.DeleteFunc(AllKinds(), func(k Kind) bool { return !k.optional() })
			c.optional, _ = filters(conn.TopicPrefix, conn.CustomerID, conn.GroupID, later)
		}
	}

	if conn.Tuning.ClientID == "" {
		conn.Tuning.ClientID = "ingest-" + c.Group + "-" + c.Name
	}
	orDefault(&conn.TokenTimeout, connection.DefaultTokenTimeout)
	if conn.Hooks.Logger == nil {
		conn.Hooks.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// connection returns the configuration of the link: a session that holds what a
// worker that crashed had not acknowledged.
func (c Config) connection() link.Config {
	conn := &c.Connection
	return link.Config{
		Broker: conn.Broker, Port: conn.Port,
		Credentials:       link.Credentials{CertFile: conn.CertFile, KeyFile: conn.KeyFile, CAFile: conn.CAFile, Certificate: conn.Certificate},
		InsecurePlaintext: conn.InsecurePlaintext,
		Timeout:           conn.TokenTimeout,
		Tuning:            conn.Tuning,
		Inbox:             &link.Inbox{ReceiveMaximum: c.ReceiveMaximum, MaxPacket: c.MaxPayload + room, SessionExpiry: c.SessionExpiry},
		Rival:             "give each worker a name of its own (field Name)",
		Logger:            conn.Hooks.Logger,
		WrapConn:          conn.Hooks.WrapConn,
	}
}

// check returns what is wrong with a configuration whose defaults are filled in.
func (c Config) check() error {
	if c.Group == "" {
		return errors.New("field Group is empty; all workers that share the work have the same one")
	}

	for _, f := range [...]struct{ name, value string }{{"Group", c.Group}, {"Name", c.Name}} {
		if err := topic.Check(f.value); err != nil {
			return fmt.Errorf("field %s %q: %w", f.name, f.value, err)
		}
	}

	if c.Connection.Lent != nil {
		return errors.New("a connection in Lent; a worker acknowledges only what is stored, and needs a session of its own")
	}
	if c.Sink == nil {
		return errors.New("no Sink given; nothing may be acknowledged that is not stored")
	}
	if len(c.Filters) > 0 && len(c.Kinds) > 0 {
		return errors.New("field Filters is given, and so are Kinds; give one or the other")
	}
	if len(c.Filters) > maxFilters {
		return fmt.Errorf("field Filters has %d, brokers take %d", len(c.Filters), maxFilters)
	}
	for _, f := range c.Filters {
		if group, _ := topic.CutShared(f); f == "" || group != "" || !utf8.ValidString(f) || strings.ContainsRune(f, 0) {
			return fmt.Errorf("filter %q is not a topic filter without $share", f)
		}
	}

	for _, f := range [...]struct {
		name     string
		v        int
		min, max int
	}{
		{"ReceiveMaximum", c.ReceiveMaximum, 1, 65535},
		{"MaxPayload", c.MaxPayload, 1, 8 << 20},
		{"Window", c.Window, 1, 1 << 24},
	} {
		if f.v < f.min || f.v > f.max {
			return fmt.Errorf("field %s %d is not between %d and %d", f.name, f.v, f.min, f.max)
		}
	}

	if c.SessionExpiry < time.Second || c.SessionExpiry > 1<<31*time.Second {
		return fmt.Errorf("field SessionExpiry %v is not between 1 s and 68 years", c.SessionExpiry)
	}
	return nil
}
