// Package mosquitto runs Debian's mosquitto on loopback, for the tests and
// measurements that need a real broker which is not of this process.
package mosquitto

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrMissing means that mosquitto is not installed.
var ErrMissing = errors.New("mosquitto is not installed; apt-get install mosquitto")

// Broker is a running mosquitto.
type Broker struct {
	Host string
	Port int

	cmd  *exec.Cmd
	log  bytes.Buffer
	done chan struct{}
}

// Start starts mosquitto with its files in dir and waits until it takes
// connections. It queues and has in flight whatever its clients ask for; lines are
// added to its configuration.
func Start(dir string, lines ...string) (*Broker, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}

	port, err := freePort()
	if err != nil {
		return nil, err
	}

	conf := filepath.Join(dir, "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"+
		"persistence false\nlog_dest stderr\nset_tcp_nodelay true\n%s\n", port, strings.Join(lines, "\n"))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}

	b := &Broker{Host: "127.0.0.1", Port: port, cmd: exec.Command(program, "-c", conf), done: make(chan struct{})}
	b.cmd.Stderr = &b.log
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		b.cmd.Wait() // its exit code says nothing after a signal
		close(b.done)
	}()
	deadline := time.After(2 * time.Minute)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return b, nil
		}

		select {
		case <-b.done:
			return nil, fmt.Errorf("mosquitto ended: %s", b.log.Bytes())
		case <-deadline:
			b.Stop()
			return nil, fmt.Errorf("mosquitto takes no connections: %s", b.log.Bytes())
		case <-time.After(5 * time.Millisecond): // it says nothing when it is ready
		}
	}
}

// Stop ends it.
func (b *Broker) Stop() {
	b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.done:
	case <-time.After(5 * time.Second):
		b.cmd.Process.Kill()
		<-b.done
	}
}

func find() (string, error) {
	// Debian puts it where only root's path leads.
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", ErrMissing
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
