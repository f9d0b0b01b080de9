package mqttv5

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"
)

// Dialer opens connections to the broker for MQTT clients of another kind than
// Client, such as the workers of package ingest, in the same way: the same
// credentials, read anew each time, the same waits between attempts and the same
// sentences about what went wrong. It is not safe for concurrent use.
type Dialer struct{ sup supervisor }

// NewDialer checks the configuration and the credential files. It does not touch
// the network. The Store and all numbers about publishing are of no use here.
func NewDialer(cfg Config) (*Dialer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	creds := newCredentials(&cfg)
	if !cfg.InsecurePlaintext {
		if _, err := creds.load(); err != nil {
			return nil, err
		}
	}
	pol := newPolicy(cfg.Tuning)
	return &Dialer{supervisor{
		cfg: &cfg, creds: creds, policy: pol,
		dial:    (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
		ctx:     context.Background(),
		backoff: backoff{policy: pol, random: rand.Float64},
	}}, nil
}

// Config returns the configuration with its defaults filled in.
func (d *Dialer) Config() Config { return *d.sup.cfg }

// Dial connects and finishes the TLS handshake. WrapConn has been applied.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) { return d.sup.dialTLS(ctx) }

// LoginError explains why a login failed; code is the CONNACK's, 0 when there was
// none.
func (d *Dialer) LoginError(ctx context.Context, code ReasonCode, err error) error {
	if code != 0 {
		err = &connectError{code: code}
	}
	return d.sup.loginError(ctx, err)
}

// LostError explains why a connection that was up ended; code is that of the
// server's DISCONNECT, 0 when there was none.
func (d *Dialer) LostError(code ReasonCode, err error) error {
	if code != 0 {
		err = &disconnectError{code: code}
	}
	return d.sup.lostError(err)
}

// Wait returns how long to wait before the next attempt. cause is the error that
// Dial, LoginError or LostError gave; lived is how long the connection was up, 0
// for one that never was. The error is not nil when there must be no other
// attempt, since another client insists on our identifier.
func (d *Dialer) Wait(cause error, lived time.Duration) (time.Duration, error) {
	s := &d.sup
	code := ReasonCode(0)
	if e := (*Error)(nil); errors.As(cause, &e) {
		code = e.Code
	}
	s.backoff.lived(lived)
	v := s.policy.judge(code, lived == 0)
	s.settle(v)
	if v.evict {
		s.evicted()
	}
	return time.Until(s.retryAt), s.stopped
}
