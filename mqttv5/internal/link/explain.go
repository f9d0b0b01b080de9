package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// The errors of a connection, turned into one sentence that says what to do.

// dialError says why there is no connection below TLS, and what to do.
func (k *Keeper) dialError(ctx context.Context, err error) error {
	e := &fault.Error{Op: "connect to " + k.cfg.Address(), Class: fault.ErrNetwork, Err: err, Hint: "check host, port and firewall"}
	var (
		dns *net.DNSError
		via *proxyError
	)

	switch {
	case k.ctx.Err() != nil:
		return fault.ErrClosed
	case errors.As(err, &via):
		e.Err, e.Hint = via, via.hint
	case errors.As(err, &dns):
		e.Err = errors.New("host name cannot be resolved: " + dns.Err)
		e.Hint = "check the name and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Err = errors.New("connection refused")
		e.Hint = "is the broker running, and is the port right?"
	case ctx.Err() != nil || isTimeout(err):
		e.Err = errors.New("no answer in time")
	case isCut(err):
		e.Err = inWords(err)
		e.Hint = "a firewall or a proxy between may do so, and so does a broker that is just starting"
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

// handshakeError says why TLS failed, and what to do.
func (k *Keeper) handshakeError(ctx context.Context, err error) error {
	if k.ctx.Err() != nil {
		return fault.ErrClosed
	}

	e := &fault.Error{Op: "TLS with " + k.cfg.Address(), Class: fault.ErrNetwork, Err: err}
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
		now, cert := time.Now(), invalid.Cert
		e.Err = fmt.Errorf("the broker's certificate expired on %s, the clock says %s", cert.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		if now.Before(cert.NotBefore) {
			e.Err = fmt.Errorf("the broker's certificate is not valid before %s, the clock says %s", cert.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
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
		return k.alertError(err)
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
func (k *Keeper) alertError(err error) error {
	_, alert, _ := strings.Cut(err.Error(), "remote error: tls: ")
	e := &fault.Error{Op: "TLS with " + k.cfg.Address(), Class: fault.ErrRefused, Err: errors.New("the broker answered with the alert \"" + alert + "\"")}
	switch {
	case strings.Contains(alert, "version"):
		e.Hint = "it does not speak TLS 1.2 or later"
	case strings.Contains(alert, "certificate"), strings.Contains(alert, "authority"):
		e.Class = fault.ErrCredentials
		e.Err = errors.New("the broker does not accept the client certificate " + k.cfg.Credentials.CertFile + " (" + alert + ")")
		e.Hint = "check that it belongs to this account and is active"
	}
	return e
}

// loginError says why the broker took the connection and not the client.
func (k *Keeper) loginError(ctx context.Context, err error) error {
	if k.ctx.Err() != nil {
		return fault.ErrClosed
	}

	e := &fault.Error{Op: "log in to " + k.cfg.Address(), Class: fault.ErrNetwork, Err: err}
	var (
		refused *loginRefused
		older   *olderBroker
		said    *fault.Error // a DISCONNECT
	)
	switch {
	case errors.As(err, &older):
		e.Class, e.Code, e.Err = fault.ErrRefused, fault.ReasonUnsupportedVersion, older
		e.Hint = "uLogger needs MQTT 5"
	case errors.As(err, &refused):
		e.Class, e.Code = fault.ErrRefused, refused.code
		e.Hint = loginHint(refused.code)
	case errors.As(err, &said):
		e.Class, e.Code, e.Err = fault.ErrRefused, said.Code, said
		e.Hint = loginHint(e.Code)
	case isAlert(err):
		return k.alertError(err)
	case errors.Is(err, guard.ErrHostile):
		e.Hint = "is this an MQTT broker?"
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		e.Err = errors.New("no answer in time")
		e.Hint = "is this an MQTT 5 broker?"
	case isCut(err):
		e.Err = errors.New("the broker closed the connection")
		e.Hint = "the usual reason is a client certificate that it does not know or a client identifier that it does not allow"
		if k.cfg.InsecurePlaintext {
			e.Hint = "the broker may expect TLS"
		}
	}
	return e
}

func loginHint(code fault.ReasonCode) string {
	switch code {
	case fault.ReasonBadClientID:
		return "the certificate's policy must allow this client identifier (field Tuning.ClientID)"
	case fault.ReasonBadUserOrPassword, fault.ReasonNotAuthorized, fault.ReasonBanned:
		return "check that the certificate belongs to this customer and is active"
	case fault.ReasonUnsupportedVersion:
		return "this broker does not speak MQTT 5"
	case fault.ReasonUseAnotherServer, fault.ReasonServerMoved:
		return "give its new address (field Broker)"
	}
	return ""
}

// lostError explains the end of a link. rival says that another client with our
// identifier is suspected.
func (k *Keeper) lostError(cause error, rival bool) error {
	e := &fault.Error{Op: "connection to " + k.cfg.Address(), Class: fault.ErrNetwork, Err: cause}
	var f *fault.Error
	switch {
	case errors.As(cause, &f) && f.Op != opDisconnected:
		return cause // of who ended it
	case f != nil:
		e.Class, e.Code = fault.ErrRefused, f.Code
	case isAlert(cause):
		return k.alertError(cause)
	case isCut(cause):
		e.Err = errors.New("the broker closed it")
		if h := (*hangUp)(nil); errors.As(cause, &h) {
			e.Hint = h.hint
		}
	}
	if rival {
		e.Err = fmt.Errorf("the broker closed it soon after the login, %d times in a row", k.shortLives)
		e.Hint = fmt.Sprintf("does another client use the identifier %q? if so, %s; if not, see what the certificate's policy allows", k.cfg.Tuning.ClientID, k.cfg.Rival)
	}
	return e
}
