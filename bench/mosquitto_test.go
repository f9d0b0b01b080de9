package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// mosquitto is a broker that is not of this process.
type mosquitto struct {
	host    string
	port    int
	address string
}

// startMosquitto starts Debian's mosquitto, which ends with the test and queues and has
// in flight whatever its clients ask for.
func startMosquitto(tb testing.TB) *mosquitto {
	tb.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/mosquitto") // Debian's place, where only root's path leads
	}
	if err != nil && os.Getenv("CI") != "true" {
		tb.Skip("mosquitto is not installed; apt-get install mosquitto")
	}
	if err != nil {
		tb.Fatal(err)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	m := &mosquitto{host: "127.0.0.1", port: l.Addr().(*net.TCPAddr).Port}
	m.address = net.JoinHostPort(m.host, strconv.Itoa(m.port))
	l.Close() // mosquitto can only be told a port
	conf := filepath.Join(tb.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d %s\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"+
		"persistence false\nlog_dest none\nset_tcp_nodelay true\n", m.port, m.host)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}

	cmd := exec.Command(program, "-c", conf)
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() // its exit code says nothing after a signal
	})
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) { // nobody tells
		conn, err := net.Dial("tcp", m.address)
		if err == nil {
			conn.Close()
			return m
		}
		if time.Since(begin) > ingestDeadline {
			tb.Fatalf("got %v in two minutes, want mosquitto to take connections", err)
		}
	}
}
