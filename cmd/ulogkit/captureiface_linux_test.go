package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"
)

// An interface is watched like a pipe. The test is skipped where packets may not
// be captured.
func TestCaptureWatchesAnInterface(t *testing.T) {
	if h, err := pcapgo.NewEthernetHandle("lo"); err != nil {
		t.Skipf("packets cannot be captured here: %v", err)
	} else {
		h.Close()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, errs := newWatched(), newWatched()
	root := newRoot()
	root.SetOut(out)
	root.SetErr(errs)
	done := make(chan int, 1)
	go func() { done <- run(ctx, root, []string{"capture", "--interface", "lo"}) }()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const want = `connect, client "watched-here"`
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(out.String(), want); {
		if time.Now().After(deadline) {
			t.Fatalf("got no %s in two minutes, want one in:\n%s\n%s", want, out, errs)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("\x10\x18\x00\x04MQTT\x04\x02\x00\x00\x00\x0cwatched-here")); err != nil {
			t.Fatal(err)
		}
		c.Close()
		select {
		case <-out.more:
		case <-time.After(50 * time.Millisecond):
		}
	}
	cancel()
	select {
	case <-done:
		if !strings.Contains(errs.String(), "lo: interrupted: ") {
			t.Errorf("got %q on stderr, want %q in it", errs.String(), "lo: interrupted: ")
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("got no end within two minutes of the interrupt, want one")
	}
}
