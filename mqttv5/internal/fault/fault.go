// Package fault has the one type of error that the packages of mqttv5 return, the
// classes that say what to do about one, and the reason codes of MQTT 5 that
// something acts upon. mqttv5 names them all again for those who import it.
package fault

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Classes of errors. ErrTooLarge is a kind of ErrBadData.
var (
	ErrBadData     = errors.New("bad data")              // the bytes to be sent are wrong; nothing was sent
	ErrConfig      = errors.New("bad configuration")     // the Config or an argument is wrong; nothing was sent
	ErrCredentials = errors.New("unusable credentials")  // certificate, key or CA cannot be used; nothing was sent
	ErrNetwork     = errors.New("network failure")       // no connection, or no answer in time
	ErrRefused     = errors.New("refused by the server") // the server answered with a failure code
	ErrNobody      = errors.New("nobody subscribed")     // the broker took a message, and dropped it since nobody was subscribed
	ErrStorage     = errors.New("local storage failure") // the outbox or the token file cannot be read or written
	ErrOutboxFull  = errors.New("outbox is full")        // the outbox refuses; nothing was accepted
	ErrClosed      = errors.New("client is closed")      // Close was called
	ErrTooLarge    = errors.New("message too large")     // more bytes than the server takes
)

// ErrTooLargeData is the class of oversize messages: both ErrTooLarge and ErrBadData.
var ErrTooLargeData = errors.Join(ErrTooLarge, ErrBadData)

// Error says what failed, why, and what to do about it.
type Error struct {
	Op    string     // what was being done, and to whom
	Class error      // one of the classes of this package
	Code  ReasonCode // the server's reason code; 0 when it gave none
	Err   error      // the cause; may be nil
	Hint  string     // what to do; may be empty
}

// Error implements error: "what: why; what to do".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	switch {
	case e.Err != nil:
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	case e.Code != 0:
		b.WriteString(": ")
		b.WriteString(e.Code.String())
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// InClass gives err a class and leaves its words; an error that has a class keeps it.
// nil stays nil.
func InClass(class, err error) error {
	if err == nil || HasClass(err) {
		return err
	}
	return &classed{err, class}
}

// HasClass reports whether err is of one of the classes of this package.
func HasClass(err error) bool {
	return slices.ContainsFunc([]error{
		ErrBadData, ErrConfig, ErrCredentials, ErrNetwork, ErrRefused, ErrStorage, ErrOutboxFull, ErrClosed, ErrTooLarge,
	}, func(class error) bool { return errors.Is(err, class) })
}

type classed struct{ err, class error }

func (c *classed) Error() string   { return c.err.Error() }
func (c *classed) Unwrap() []error { return []error{c.err, c.class} }

// Code returns the reason code of the first Error in err's tree, and 0 when there
// is none.
func Code(err error) ReasonCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// PathCause leaves out the operation and the name that a message has already.
func PathCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
