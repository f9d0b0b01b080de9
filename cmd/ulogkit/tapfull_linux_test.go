package main

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A recording that a full disk ends is told of at once and once, and again at the end;
// the connection goes on.
func TestTapOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	defer syscall.Unmount(dir, 0)

	for name, want := range map[string]string{
		filepath.Join(dir, "tap.pcapng"): "tap.pcapng: recording ended: ",
		"/dev/full":                      "nothing is recorded: /dev/full: ",
	} {
		var told bytes.Buffer
		tap := &tapFile{tell: &told}
		tap.out.Name = name
		client, server := net.Pipe()
		go io.Copy(io.Discard, server)
		conn := tap.client()(client)
		for range 64 {
			if _, err := conn.Write(make([]byte, 1024)); err != nil {
				t.Fatalf("%s: the connection says %v", name, err)
			}
		}
		if got := told.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 || !strings.Contains(got, "no space left") {
			t.Errorf("%s: got %q, want one line that says %q", name, got, want)
		}
		conn.Close()
		server.Close()
		if err := tap.close(); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: got %v at the end, want the error", name, err)
		}
	}
}
