package link

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// What the network calls the end of a connection is told in words, and what has words
// keeps them.
func TestEndsOfConnectionsAreWords(t *testing.T) {
	op := func(err error) error {
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 1}, Addr: &net.TCPAddr{Port: 2}, Err: err}
	}
	reset := op(os.NewSyscallError("read", syscall.ECONNRESET))
	for _, c := range []struct {
		err  error
		want string
	}{
		{io.EOF, "the other side closed the connection"},
		{fmt.Errorf("read packet: %w", io.ErrUnexpectedEOF), "the other side closed the connection"},
		{reset, "the other side closed the connection"},
		{op(net.ErrClosed), "the other side closed the connection"},
		{op(os.ErrDeadlineExceeded), "the network gave no answer in time"},
		{op(os.NewSyscallError("read", syscall.EHOSTUNREACH)), "the network failed: no route to host"},
		{errNoAck, errNoAck.Error()},
		{fault.ErrClosed, fault.ErrClosed.Error()},
		{&fault.Error{Op: "do", Class: fault.ErrNetwork, Err: io.EOF}, "do: EOF"},
	} {
		got := inWords(c.err)
		if got.Error() != c.want || !errors.Is(got, c.err) {
			t.Errorf("%v: got %q, want %q that wraps it", c.err, got, c.want)
		}
		if again := inWords(got); again != got {
			t.Errorf("%v: got %v the second time, want no change", c.err, again)
		}
	}

	l := &Link{identifier: "me"}
	if got := l.inWords(reset); got.Error() != "the broker closed the connection" {
		t.Errorf("got %q of a connection that is lent, want no reasons", got)
	}
	l.begun = time.Now().Add(-time.Hour)
	if got := l.inWords(reset); got.Error() != "the broker closed the connection" {
		t.Errorf("got %q after an hour, want no reasons", got)
	}
	l.begun = time.Now()
	if got := l.inWords(io.EOF); !strings.Contains(got.Error(), `another client uses the identifier "me"`) || !errors.Is(got, io.EOF) {
		t.Errorf("got %q right after the login, want what that commonly means", got)
	}
}
