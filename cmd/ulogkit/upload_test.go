package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// What a broker takes and nobody is subscribed to is lost (cases cli/text-no-subscriber
// and delivery/nobody-subscribed, F47).
func TestNobodySubscribedIsALoss(t *testing.T) {
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{Plaintext: true, Strict: localcloud.Strict{NoSubscriber: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	text := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(text, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	args := []string{
		"upload", "--config", os.DevNull, "--broker", cloud.Addr(), "--insecure-plaintext", "--customer", "42", "--application", "7",
		"--serial", "S", "--git-hash", "1", "--store", "none", "--text", text,
	}

	for _, c := range []struct {
		more           []string
		code           int
		stdout, stderr string
	}{
		{nil, exitData, "", "nobody was subscribed to logs/v0/42/7: the broker took it and keeps nothing"},
		{[]string{"--allow-no-subscriber"}, 0, "confirmed on logs/v0/42/7", "nobody was subscribed"},
		{[]string{"--outbox", filepath.Join(t.TempDir(), "a")}, exitData, "accepted", "nobody was subscribed"},
		{[]string{"--outbox", filepath.Join(t.TempDir(), "b"), "--allow-no-subscriber"}, 0, "accepted", "nobody was subscribed"},
	} {
		var stdout, stderr bytes.Buffer
		root := newRoot()
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		code := run(t.Context(), root, append(args, c.more...))
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || c.stdout == "" && stdout.Len() > 0 || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%v: got exit code %d, want %d; printed %q and %q", c.more, code, c.code, &stdout, &stderr)
		}
	}
}
