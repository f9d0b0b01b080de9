package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// cutAt serves a broker that closes each connection at a stage, by a reset if rst. It
// answers what comes before.
func cutAt(t *testing.T, stage string, rst bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				if serveUntil(c, stage); rst {
					c.(*net.TCPConn).SetLinger(0)
				}
			})
		}
	})
	return l.Addr().String()
}

// serveUntil answers until a stage is reached.
func serveUntil(c net.Conn, stage string) {
	if stage == "accepted" {
		return
	}
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}

		var answer packets.Packet
		name := ""
		switch m := p.Content.(type) {
		case *packets.Connect:
			name, answer = "CONNECT", &packets.Connack{Properties: &packets.Properties{}}
		case *packets.Subscribe:
			name, answer = "SUBSCRIBE", &packets.Suback{PacketID: m.PacketID, Reasons: bytes.Repeat([]byte{1}, len(m.Subscriptions)), Properties: &packets.Properties{}}
		case *packets.Publish:
			name, answer = "PUBLISH", &packets.Puback{PacketID: m.PacketID, Properties: &packets.Properties{}}
		case *packets.Unsubscribe:
			answer = &packets.Unsuback{PacketID: m.PacketID, Reasons: bytes.Repeat([]byte{0}, len(m.Topics)), Properties: &packets.Properties{}}
		case *packets.Pingreq:
			answer = &packets.Pingresp{}
		case *packets.Disconnect:
			return
		}

		switch {
		case name != "" && stage == name:
			return
		case name != "" && stage == "silence after "+name:
			io.Copy(io.Discard, c)
			return
		}

		var b bytes.Buffer
		answer.WriteTo(&b)
		if stage == "half an answer to "+name {
			c.Write(b.Bytes()[:b.Len()-1])
			return
		}
		c.Write(b.Bytes())
		if stage == "answer to "+name {
			return
		}
	}
}

// hangUp is what a command prints; told is closed when there is a line about the
// connection.
type hangUp struct {
	mu   sync.Mutex
	b    bytes.Buffer
	once sync.Once
	told chan struct{}
}

func (w *hangUp) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.b.Write(p)
	if strings.Contains(w.b.String(), "the broker ") || strings.Contains(w.b.String(), "the other side ") {
		w.once.Do(func() { close(w.told) })
	}
	return n, err
}

func (w *hangUp) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// bare are words of libraries that say nothing to a person.
var bare = regexp.MustCompile(`\bEOF\b|broken pipe|connection reset by peer|use of closed network connection|deadline exceeded|i/o timeout|io: read/write`)

// A broker may hang up at any time, and a person is told so in words.
func TestHangUpIsToldInWords(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	log := filepath.Join(dir, "log.bin")
	if code := run(t.Context(), newRoot(), []string{"sample", "-o", log}); code != 0 {
		t.Fatalf("got exit code %d of the sample, want 0", code)
	}
	if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}

	device := []string{"--application", "7", "--serial", "SN-1", "--device-type", "lamp", "--git-version", "v1", "--git-hash", "3f2c9a1", "--store", "none"}
	commands := map[string][]string{
		"upload":   append([]string{"upload", log}, device...),
		"outbox":   append([]string{"upload", "--outbox", "OUTBOX", log}, device...),
		"text":     append([]string{"upload", "--text", log + ".txt"}, device...),
		"firmware": append([]string{"upload", "--firmware", os.Args[0]}, device...),
		"register": append([]string{"register"}, device...),
		"metric":   append([]string{"metric", "temperature=1"}, device...),
		"doctor":   append([]string{"doctor"}, device...),
		"gateway":  append([]string{"gateway", "--outbox", "OUTBOX", "--on-config", "true"}, device...),
		"ingest":   {"ingest", "--group", "g", "--name", "1", "--sink", "file:SINK"},
	}
	if err := os.WriteFile(log+".txt", []byte("a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stages []string
	for _, packet := range []string{"CONNECT", "SUBSCRIBE", "PUBLISH"} {
		stages = append(stages, packet, "silence after "+packet, "half an answer to "+packet, "answer to "+packet)
	}

	for name, args := range commands {
		for _, stage := range append(stages, "accepted") {
			lasts := name == "gateway" || name == "ingest" || name == "outbox" // until it is interrupted
			if lasts && (strings.HasPrefix(stage, "silence") || stage == "answer to PUBLISH") || name != "outbox" && lasts && strings.HasSuffix(stage, "PUBLISH") {
				continue // there may be nothing to tell
			}
			for _, rst := range []bool{false, true} {
				if rst && strings.HasPrefix(stage, "silence") {
					continue
				}
				t.Run(strings.ReplaceAll(name+" "+stage, " ", "-"), func(t *testing.T) {
					t.Parallel()
					own := t.TempDir()
					args := append([]string{}, args...)
					for i, a := range args {
						args[i] = strings.NewReplacer("OUTBOX", filepath.Join(own, "outbox"), "SINK", filepath.Join(own, "sink")).Replace(a)
					}
					args = append(args, "--broker", cutAt(t, stage, rst), "--customer", "42", "--insecure-plaintext", "--timeout", "300ms")
					ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
					defer stop()
					out := &hangUp{told: make(chan struct{})}
					cmd := exec.CommandContext(ctx, "ulogkit", args...) // side by side, which one process cannot
					cmd.Env = append(os.Environ(), "GORACE="+race)
					cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
					cmd.WaitDelay = time.Minute
					cmd.Stderr = out
					if name == "doctor" {
						cmd.Stdout = out
					}
					if lasts {
						go func() {
							select {
							case <-out.told:
								stop()
							case <-ctx.Done():
							}
						}()
					}
					err := cmd.Run()
					t.Logf("%v: %s", err, out)
					if found := bare.FindString(out.String()); found != "" {
						t.Errorf("got %q in %q, want words", found, out)
					}
				})
			}
		}
	}
}
