package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// pipe returns a tapped client, its server, and the file.
func pipe(t *testing.T) (c, s net.Conn, file *bytes.Buffer, tap *Tap) {
	t.Helper()
	file = new(bytes.Buffer)
	tap, err := NewTap(file)
	if err != nil {
		t.Fatal(err)
	}
	tap.now = func() time.Time { return epoch }
	c, s = net.Pipe()
	return tap.Client(c), s, file, tap
}

// exchange writes b at one end and reads it at the other.
func exchange(t *testing.T, from, to net.Conn, b []byte) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := from.Write(b)
		done <- err
	}()
	got := make([]byte, len(b))
	if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("read %x, %v, want %x", got, err, b)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestTapRecordsTheConversation(t *testing.T) {
	c, s, file, tap := pipe(t)
	log := logVectors(t)[0]
	script := &script{t: t}
	big := publish(t, "logs/v0/C/A", 2, bytes.Repeat([]byte("x"), 100_000))
	exchange(t, c, s, script.packet(MQTT{Type: PacketConnect, Connect: Connect{ClientID: []byte("c")}}))
	exchange(t, s, c, script.packet(MQTT{Type: PacketConnack}))
	exchange(t, c, s, publish(t, "binlog/v0/C/A", 1, log))
	exchange(t, s, c, script.packet(MQTT{Type: PacketPuback, PacketID: 1}))
	exchange(t, c, s, big)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}

	messages, stats, err := read(t, bytes.NewReader(file.Bytes()), CaptureConfig{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Kind{KindConnect, KindConnack, KindLog, KindAck, KindTextLog}
	if got := kinds(messages); !slices.Equal(got, want) || !stats.Lossless() || stats.Retransmitted != 0 {
		t.Fatalf("%v, want %v, %+v", got, want, stats)
	}
	if m := messages[2]; m.Destination.Port() != 1883 || m.Err != nil || !bytes.Equal(m.Payload[5:], log[5:]) || !m.Time.Equal(epoch) {
		t.Errorf("got %+v, want the log, to port 1883 and with its time", m)
	}
	checkSums(t, file.Bytes())
}

// checkSums verifies the checksums of every packet with the plainest code.
func checkSums(t *testing.T, file []byte) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		data, _, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}

		n++
		p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
		var addresses []byte
		switch ip := p.NetworkLayer().(type) {
		case *layers.IPv4:
			if sum16(ip.Contents) != 0xffff {
				t.Errorf("packet %d: got the sum %#x over the IP header, want 0xffff", n, sum16(ip.Contents))
			}
			addresses = slices.Concat(ip.SrcIP.To4(), ip.DstIP.To4())
		case *layers.IPv6:
			addresses = slices.Concat(ip.SrcIP, ip.DstIP)
		default:
			t.Fatalf("packet %d: got %v, want IPv4 or IPv6", n, p)
		}

		tcp := slices.Concat(p.TransportLayer().LayerContents(), p.TransportLayer().LayerPayload())
		pseudo := slices.Concat(addresses, []byte{0, 6, byte(len(tcp) >> 8), byte(len(tcp))}, tcp)
		if sum16(pseudo) != 0xffff {
			t.Errorf("packet %d: got the sum %#x over the TCP segment, want 0xffff", n, sum16(pseudo))
		}
	}

	if n == 0 {
		t.Error("got 0 packets, want some")
	}
}

// sum16 is the ones' complement sum of RFC 1071.
func sum16(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// tcpPair returns the two ends of a connection over loopback, or nil if the
// address cannot be had. They are closed with the test.
func tcpPair(t *testing.T, address ...string) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", append(address, "127.0.0.1:0")[0])
	if err != nil {
		return nil, nil
	}
	defer l.Close()
	type result struct {
		conn net.Conn
		err  error
	}

	accepted := make(chan result, 1)
	go func() {
		c, err := l.Accept()
		accepted <- result{c, err}
	}()

	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	r := <-accepted
	if r.err != nil {
		t.Fatalf("got error %v, want none", r.err)
	}

	t.Cleanup(func() { _ = client.Close(); _ = r.conn.Close() })
	return client, r.conn
}

// Real connections keep their addresses, of either family and at either end.
func TestTapKeepsAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		c, s := tcpPair(t, address)
		if c == nil {
			continue // no such family here
		}
		var err error
		var files [2]bytes.Buffer
		var taps [2]*Tap
		for i := range taps {
			if taps[i], err = NewTap(&files[i]); err != nil {
				t.Fatal(err)
			}
		}

		from := c.LocalAddr().String()
		c, s = taps[0].Client(c), taps[1].Server(s)
		exchange(t, c, s, publish(t, "logs/v0/C/A", 1, []byte("{}")))
		exchange(t, s, c, []byte("\x40\x02\x00\x01"))
		if err := errors.Join(c.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}

		for i := range files {
			messages, _, err := read(t, bytes.NewReader(files[i].Bytes()), CaptureConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if got := kinds(messages); !slices.Equal(got, []Kind{KindTextLog, KindAck}) {
				t.Errorf("%s: got %v, want %v", address, got, []Kind{KindTextLog, KindAck})
			}

			checkSums(t, files[i].Bytes())
			f, err := openCapture(bytes.NewReader(files[i].Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.next()
			if err != nil {
				t.Fatal(err)
			}

			seg, v := dissect(p)
			if v != isTCP || !seg.SYN || seg.Source.String() != from || seg.Destination.Port() != 1883 {
				t.Errorf("side %d: got %+v first, want a SYN from %s to port 1883", i, seg, from)
			}
		}
	}
}

// quick is a connection whose answer is read before the question's Write
// returns.
type quick struct {
	net.Conn
	asked, read chan bool
}

func (q quick) Write(b []byte) (int, error) {
	q.asked <- true
	<-q.read
	return len(b), nil
}

func (q quick) Read(b []byte) (int, error) {
	<-q.asked
	return copy(b, "answer"), nil
}
func (quick) LocalAddr() net.Addr  { return nil }
func (quick) RemoteAddr() net.Addr { return nil }

// What is asked stands before what is answered.
func TestTapWritesQuestionsBeforeAnswers(t *testing.T) {
	var file bytes.Buffer
	tap, err := NewTap(&file)
	if err != nil {
		t.Fatal(err)
	}
	q := quick{asked: make(chan bool), read: make(chan bool)}
	c := tap.Client(q)
	go func() {
		if _, err := c.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		q.read <- true
	}()

	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}

	asked, answered := bytes.Index(file.Bytes(), []byte("question")), bytes.Index(file.Bytes(), []byte("answer"))
	if asked < 0 || answered < asked {
		t.Errorf("got the question at %d and the answer at %d, want both, the question first", asked, answered)
	}
}

// A tapped connection can be locked by who writes in pieces, and the lock is
// the connection's own if it has one.
func TestTappedConnectionCanBeLocked(t *testing.T) {
	tap, err := NewTap(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := tap.Client(quick{}).(sync.Locker); !ok {
		t.Error("got a connection that cannot be locked, want one that can")
	}
	own := &struct {
		quick
		sync.Mutex
	}{}
	c := tap.Client(own).(sync.Locker)
	c.Lock()
	if own.TryLock() {
		t.Error("got the connection's own lock free, want it held")
	}
	c.Unlock()
	if !own.TryLock() {
		t.Error("got the connection's own lock held, want it free")
	}
}

// limited is a writer on a disk that fills up.
type limited struct{ left int }

var errDiskFull = errors.New("disk full")

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errDiskFull
	}
	return len(p), nil
}

// A file that cannot be written does not disturb the connection.
func TestTapOnAFullDiskDisturbsNothing(t *testing.T) {
	if _, err := NewTap(&limited{}); !errors.Is(err, errDiskFull) {
		t.Errorf("got error %v, want %v", err, errDiskFull)
	}
	tap, err := NewTap(&limited{1000})
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	c := tap.Client(a)
	for range 20 {
		exchange(t, c, b, make([]byte, 100))
	}
	if err := errors.Join(c.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(tap.Err(), errDiskFull) || !errors.Is(tap.Close(), errDiskFull) {
		t.Errorf("got error %v, want %v", tap.Err(), errDiskFull)
	}
}

// A write that fails is followed by a reset; nothing is written after Close.
func TestTapWritesAResetAfterAFailure(t *testing.T) {
	c, s, file, tap := pipe(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("lost")); err == nil {
		t.Fatal("got no error of a write to a closed connection, want one")
	}

	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("got error %v, want %v", err, io.EOF)
	}
	f, err := openCapture(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}

	var last Segment
	for {
		p, err := f.next()
		if err != nil {
			break
		}
		last, _ = dissect(p)
	}

	if !last.RST {
		t.Errorf("got %+v last, want a reset", last)
	}
	n := file.Len()
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}

	if c.(interface{ NetConn() net.Conn }).NetConn() == nil {
		t.Error("got no connection below, want the one that is tapped")
	}
	if err := c.Close(); err != nil || file.Len() != n {
		t.Errorf("got error %v of Close and %d bytes more, want none", err, file.Len()-n)
	}
}
