package oracle

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Versions of the library that .ci/python installs.
const (
	newest = "1.2.3"
	oldest = "1.1.0"
)

// library is a running process with the vendor's library in it.
type library struct {
	stdin  io.WriteCloser
	stderr *bytes.Buffer

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	ended   error
}

// A request and its reply are described in testdata/driver.py.
type request struct {
	ID   int            `json:"id"`
	Call string         `json:"call"`
	Args []any          `json:"args,omitempty"`
	With map[string]any `json:"with,omitempty"`
	Each [][]any        `json:"each,omitempty"`
	Keep string         `json:"keep,omitempty"`

	Refusals bool `json:"refusals,omitempty"` // Each: an exception is one result
}

type reply struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Args   json.RawMessage `json:"args"`
	Error  string          `json:"error"`
}

// startLibrary starts the library in a home of its own. It ends with the test.
func startLibrary(t *testing.T, version string) *library {
	t.Helper()
	python, err := filepath.Abs("../../../.ci/python/venv-" + version + "/bin/python")
	if err != nil {
		t.Fatal(err)
	}

	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("got %v, want the library installed; run .ci/python/install", err)
		}
		t.Skip("the vendor's library is not installed; run .ci/python/install")
	}

	home := t.TempDir()
	l := &library{stderr: new(bytes.Buffer), waiting: make(map[int]chan reply)}
	cmd := exec.Command(python, "-I", "-u", "testdata/driver.py")
	cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Stderr = l.stderr
	if l.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}

	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	read := make(chan struct{})
	go func() {
		defer close(read)
		l.read(stdout)
	}()

	t.Cleanup(func() {
		l.stdin.Close()
		hung := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
		<-read
		if err := cmd.Wait(); err != nil || !hung.Stop() {
			t.Errorf("the library's process: got %v, want it to end by itself and without an error", err)
		}
		if t.Failed() {
			said := l.stderr.Bytes()
			t.Logf("%s said last:\n%s", version, said[max(0, len(said)-2000):])
		}
	})

	return l
}

func (l *library) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var answer reply
		if err == nil {
			err = json.Unmarshal(line, &answer)
		}
		l.mu.Lock()
		if err != nil {
			l.ended = fmt.Errorf("the library's process ended: %w", err)
			for _, w := range l.waiting {
				close(w)
			}
			l.waiting = nil
			l.mu.Unlock()
			return
		}

		if w := l.waiting[answer.ID]; w != nil {
			w <- answer
			delete(l.waiting, answer.ID)
		}

		l.mu.Unlock()
	}
}

// ask sends a request and waits for its reply.
func (l *library) ask(r request) (reply, error) {
	answer := make(chan reply, 1)
	l.mu.Lock()
	if l.ended != nil {
		l.mu.Unlock()
		return reply{}, l.ended
	}

	l.next++
	r.ID = l.next
	l.waiting[r.ID] = answer
	line, err := json.Marshal(r)
	if err == nil {
		_, err = l.stdin.Write(append(line, '\n'))
	}
	l.mu.Unlock()
	if err != nil {
		return reply{}, err
	}

	select {
	case a, ok := <-answer:
		if !ok {
			return reply{}, l.ended
		}
		return a, nil
	case <-time.After(10 * time.Minute):
		return reply{}, fmt.Errorf("no answer to %s", r.Call)
	}
}

// call calls a function of the library, fills result and fails on an exception.
func (l *library) call(t *testing.T, r request, result any) {
	t.Helper()
	a, err := l.ask(r)
	if err != nil {
		t.Fatal(err)
	}
	if a.Error != "" {
		t.Fatalf("%s: got the exception %s of the library, want none", r.Call, a.Error)
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		t.Fatalf("%s: got %.80s, %v, want a %T", r.Call, a.Result, err, result)
	}
}

// octets are bytes on their way to and from the library.
type octets []byte

// MarshalJSON implements json.Marshaler.
func (b octets) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$bytes": hex.EncodeToString(b)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *octets) UnmarshalJSON(text []byte) error {
	var v struct {
		Bytes *string `json:"$bytes"`
	}
	if err := json.Unmarshal(text, &v); err != nil || v.Bytes == nil {
		return fmt.Errorf("%.80s are no bytes", text)
	}
	x, err := hex.DecodeString(*v.Bytes)
	*b = x
	return err
}

// object is one of the library's, made for one call.
func object(class string, with map[string]any) any {
	if with == nil {
		return map[string]any{"$new": class}
	}
	return map[string]any{"$new": class, "with": with}
}
