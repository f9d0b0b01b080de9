package link

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// hangUp is the end of a connection that the network tells and nobody explains, in
// words: what a system or a library calls it, EOF say, says nothing to a person.
type hangUp struct {
	err  error
	what string
	hint string // what it commonly means; may be empty
}

// Error implements error.
func (h *hangUp) Error() string {
	if h.hint == "" {
		return h.what
	}
	return h.what + "; " + h.hint
}

func (h *hangUp) Unwrap() error { return h.err }

// inWords puts the end of a connection into words, and leaves an error that has words.
func inWords(err error) error {
	var (
		said  *fault.Error
		words *hangUp
		op    *net.OpError
		errno syscall.Errno
	)
	switch {
	case err == nil, errors.As(err, &said), errors.As(err, &words), fault.HasClass(err), isAlert(err):
		return err
	case isCut(err):
		return &hangUp{err: err, what: "the other side closed the connection"}
	case isTimeout(err):
		return &hangUp{err: err, what: "the network gave no answer in time"}
	case errors.As(err, &op) && errors.As(op.Err, &errno):
		return &hangUp{err: err, what: "the network failed: " + errno.Error()} // without addresses
	}
	return err
}

// soonAfterLogin is how long after the CONNECT an end is likely to be on purpose.
const soonAfterLogin = 10 * time.Second

// inWords is the same for a link, of which it is known how long it lived.
func (l *Link) inWords(cause error) error {
	cause = inWords(cause)
	var h *hangUp
	if !errors.As(cause, &h) || !isCut(cause) {
		return cause
	}
	told := &hangUp{err: h.err, what: "the broker closed the connection"}
	if !l.begun.IsZero() && time.Since(l.begun) < soonAfterLogin {
		told.hint = fmt.Sprintf("so soon after the login that commonly means that another client uses the identifier %q, or that the broker does not allow what was asked for", l.identifier)
	}
	return told
}
