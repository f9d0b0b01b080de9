package mqttv5

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// The errors of a connection, turned into one sentence that says what to do.

func (s *supervisor) dialError(ctx context.Context, err error) error {
	e := &Error{Op: "connect to " + s.cfg.address(), Class: ErrNetwork, Err: err, Hint: "check host, port and firewall"}
	var dns *net.DNSError
	switch {
	case s.ctx.Err() != nil:
		return ErrClosed
	case errors.As(err, &dns):
		e.Err = errors.New("host name cannot be resolved: " + dns.Err)
		e.Hint = "check the name and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Err = errors.New("connection refused")
		e.Hint = "is the broker running, and is the port right?"
	case ctx.Err() != nil || isTimeout(err):
		e.Err = errors.New("no answer in time")
	default:
		var op *net.OpError
		if errors.As(err, &op) {
			e.Err = op.Err
		}
	}
	return e
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func (s *supervisor) handshakeError(ctx context.Context, err error) error {
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	e := &Error{Op: "TLS with " + s.cfg.address(), Class: ErrNetwork, Err: err}
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		noTLS    tls.RecordHeaderError
		verified *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		e.Err = errors.New("the broker's certificate was issued by an authority that is not trusted")
		e.Hint = "name the right CA file"
	case errors.As(err, &host):
		e.Err = errors.New("the broker's certificate is for another name")
		e.Hint = "use the host name that the certificate is for"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Err = errors.New("the broker's certificate is expired or not yet valid")
		e.Hint = "check this machine's clock, then the broker's certificate"
	case errors.As(err, &verified):
		e.Err = verified.Err
	case errors.As(err, &noTLS):
		e.Err = errors.New("the answer is not TLS")
		e.Hint = "check the port; 8883 is the usual one"
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		e.Err = errors.New("the handshake was not finished in time")
		e.Hint = "check the port and the network"
	case isAlert(err):
		return s.alertError(err)
	case isCut(err):
		e.Err = errors.New("the broker closed the connection during the handshake")
		e.Hint = "check that the port speaks TLS and that the certificate is active"
	}
	return e
}

func isAlert(err error) bool { return strings.Contains(err.Error(), "remote error: tls:") }

func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// alertError explains a TLS alert from the broker. With TLS 1.3 one about our
// certificate arrives after the handshake, with the first read.
func (s *supervisor) alertError(err error) error {
	_, alert, _ := strings.Cut(err.Error(), "remote error: tls: ")
	e := &Error{Op: "TLS with " + s.cfg.address(), Class: ErrRefused, Err: errors.New("the broker answered with the alert \"" + alert + "\"")}
	switch {
	case strings.Contains(alert, "version"):
		e.Hint = "it does not speak TLS 1.2 or later"
	case strings.Contains(alert, "certificate"), strings.Contains(alert, "authority"):
		e.Class = ErrCredentials
		e.Err = errors.New("the broker does not accept the client certificate " + s.cfg.CertFile + " (" + alert + ")")
		e.Hint = "check that it belongs to this account and is active"
	}
	return e
}

func (s *supervisor) loginError(ctx context.Context, err error) error {
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	e := &Error{Op: "log in to " + s.cfg.address(), Class: ErrNetwork, Err: err}
	var refused *connectError
	switch {
	case errors.As(err, &refused):
		e.Class, e.Code = ErrRefused, refused.code
		e.Hint = loginHint(refused.code)
	case codeOf(err) != 0:
		e.Class, e.Code = ErrRefused, codeOf(err)
		e.Hint = loginHint(e.Code)
	case isAlert(err):
		return s.alertError(err)
	case errors.Is(err, guard.ErrHostile):
		e.Hint = "is this an MQTT broker?"
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		e.Err = errors.New("no answer in time")
		e.Hint = "is this an MQTT 5 broker?"
	case isCut(err):
		e.Err = errors.New("the broker closed the connection")
		e.Hint = "the usual reason is a client certificate that it does not know or a client identifier that it does not allow"
		if s.cfg.InsecurePlaintext {
			e.Hint = "the broker may expect TLS"
		}
	}
	return e
}

func loginHint(code ReasonCode) string {
	switch code {
	case ReasonBadClientID:
		return "the certificate's policy must allow this Tuning.ClientID"
	case ReasonBadUserOrPassword, ReasonNotAuthorized, ReasonBanned:
		return "check that the certificate belongs to this customer and is active"
	case ReasonUnsupportedVersion:
		return "this broker does not speak MQTT 5"
	case ReasonUseAnotherServer, ReasonServerMoved:
		return "set Broker to its new address"
	}
	return ""
}

// lostError explains the end of a connection that had been up.
func (s *supervisor) lostError(cause error) error {
	e := &Error{Op: "connection to " + s.cfg.address(), Class: ErrNetwork, Err: cause}
	switch {
	case codeOf(cause) != 0:
		e.Class, e.Code = ErrRefused, codeOf(cause)
	case isAlert(cause):
		return s.alertError(cause)
	case isCut(cause):
		e.Err = errors.New("the broker closed it")
	}
	return e
}
