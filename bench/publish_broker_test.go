package bench

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pahopackets "github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
)

// pubackSize is the length of a PUBACK of success without properties.
const pubackSize = 4

// ackBroker is a broker that only acknowledges: what it costs is small beside the
// publishers that are measured on it. The stand-in cloud verifies, remembers and
// routes each message, which would hide them.
type ackBroker struct {
	address string
	files   *tlsFiles // nil: no TLS
	taken   atomic.Int64

	mu     sync.Mutex
	packet []byte // the first PUBLISH
}

func startAckBroker(tb testing.TB, secure bool) *ackBroker {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b := &ackBroker{address: listener.Addr().String()}
	if secure {
		b.files = newTLSFiles(tb)
		listener = tls.NewListener(listener, b.files.server)
	}

	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				if err := b.serve(conn); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
					tb.Errorf("broker: got error %v, want none but the end of the connection", err)
				}
			})
		}
	})

	tb.Cleanup(func() {
		listener.Close()
		all.Wait() // clients have closed their connections
	})

	return b
}

// serve answers the packets of one connection. Acknowledgements are written when
// nothing more has come.
func (b *ackBroker) serve(conn net.Conn) error {
	in, out := bufio.NewReaderSize(conn, 256<<10), bufio.NewWriter(conn)
	buf := make([]byte, 0, 128<<10)
	for {
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}

		kind, err := in.ReadByte()
		if err != nil {
			return err
		}
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}

		if n > uint64(cap(buf)) {
			return errors.New("packet too long")
		}
		buf = buf[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return err
		}

		switch kind >> 4 {
		case pahopackets.CONNECT:
			out.Write([]byte{pahopackets.CONNACK << 4, 3, 0, 0, 0})
		case pahopackets.PUBLISH:
			id := 2 + int(binary.BigEndian.Uint16(buf))
			out.Write([]byte{pahopackets.PUBACK << 4, pubackSize - 2, buf[id], buf[id+1]})
			if b.taken.Add(1) == 1 {
				b.first(kind, buf)
			}
		case pahopackets.PINGREQ:
			out.Write([]byte{pahopackets.PINGRESP << 4, 0})
		case pahopackets.DISCONNECT:
			return nil
		}
	}
}

// first keeps the first PUBLISH packet.
func (b *ackBroker) first(kind byte, rest []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.packet = append(binary.AppendUvarint([]byte{kind}, uint64(len(rest))), rest...)
}

// kept returns the packet that was kept.
func (b *ackBroker) kept() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]byte(nil), b.packet...)
}

// tlsFiles are throwaway certificates for both ends.
type tlsFiles struct {
	ca, cert, key string
	server        *tls.Config
}

func newTLSFiles(tb testing.TB) *tlsFiles {
	tb.Helper()
	authority, end := catest.New(tb), time.Now().Add(time.Hour)
	f := &tlsFiles{server: &tls.Config{
		Certificates: []tls.Certificate{authority.Pair(1, end, "127.0.0.1")}, ClientCAs: authority.Pool(),
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}}
	f.cert, f.key, f.ca = authority.Write(tb.TempDir(), 2, end)
	return f
}

// client returns the other end's configuration.
func (f *tlsFiles) client() *tls.Config {
	return &tls.Config{Certificates: f.server.Certificates, RootCAs: f.server.ClientCAs, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}
