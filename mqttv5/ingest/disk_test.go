//go:build unix

package ingest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// starved is the worker named "victim", none of whose files can grow beyond limit
// bytes until a line arrives on standard input. It prints where its health is and
// logs to standard error.
func starved(dir, limit string) int {
	if err := runStarved(dir, limit); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func runStarved(dir, limit string) error {
	signal.Ignore(syscall.SIGXFSZ) // as a full disk: an error and no signal
	n, err := strconv.ParseUint(limit, 10, 64)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(os.Getenv("INGEST_CHILD_PORT"))
	if err != nil {
		return err
	}

	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
		return err
	}

	sink, err := filesink.Open(filesink.Config{Dir: dir})
	if err != nil {
		return err
	}
	cfg := ingest.Config{Connection: plain(port), Group: "g", Name: "victim", Sink: sink}
	cfg.Connection.Hooks.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	w, err := ingest.New(cfg)
	if err != nil {
		return err
	}

	health := httptest.NewServer(w)
	defer health.Close()
	fmt.Println(health.URL)
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n') // or its end, with the parent's
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			fmt.Println(err)
		}
	}()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := w.Run(ctx); err != nil {
		return err
	}

	return sink.Close()
}

// The disk of a worker is full: it says so, acknowledges nothing any more, and
// loses nothing that was confirmed, whether there is room again or it is killed
// before.
func TestFullDiskLosesNothingConfirmed(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprint("killed=", killed), func(t *testing.T) {
			t.Parallel()
			broker := startMosquitto(t)
			dir, _, _ := dirs(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "INGEST_CHILD_DIR="+dir, fmt.Sprint("INGEST_CHILD_PORT=", broker.Port), "INGEST_CHILD_LIMIT=20000")
			var log bytes.Buffer // may be read when the child has ended
			cmd.Stderr = &log
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if cmd.ProcessState == nil {
					cmd.Process.Kill()
					cmd.Wait()
				}
			}()
			url, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			url = strings.TrimSpace(url)
			waitHealth(t, url, http.StatusOK, "")

			u := newUploads(t, broker.Port)
			for n := 0; n < 40 && health(t, url).Sink == ""; n++ {
				u.burst(t, 20)
			}
			waitHealth(t, url, http.StatusServiceUnavailable, syscall.EFBIG.Error())
			u.burst(t, 20) // more than it has room for
			if h := health(t, url); !h.Connected || h.Unacknowledged == 0 || h.LastStored.IsZero() {
				t.Errorf("got health %+v, want it connected, some unacknowledged, and the time of what was stored last", h)
			}
			before, _ := stored(t, dir)
			if len(before) == 0 || len(before) >= u.next {
				t.Errorf("got %d messages stored on the full disk, want some and fewer than %d", len(before), u.next)
			}
			if killed {
				cmd.Process.Kill()
				cmd.Wait() // as it was told
				worker(t, broker.Port, "victim", dir, nil)
				u.waitStored(t, dir)
			} else {
				fmt.Fprintln(in)
				u.waitStored(t, dir)
				waitHealth(t, url, http.StatusOK, "")
				cmd.Process.Signal(syscall.SIGTERM)
				if err := cmd.Wait(); err != nil {
					t.Error(err)
				}
				if !strings.Contains(log.String(), "stores again") {
					t.Errorf("got no word that it stores again, want one:\n%s", &log)
				}
			}
			byKey, copies := stored(t, dir)
			u.check(t, byKey)
			if copies > 0 {
				t.Errorf("got %d copies, want none", copies)
			}
			for key := range before {
				if _, ok := byKey[key]; !ok {
					t.Errorf("got no message %v, want it, since it was stored before the disk was full", key)
				}
			}
			if n := strings.Count(log.String(), "nothing is acknowledged"); n != 1 {
				t.Errorf("got %d times that nothing is acknowledged, want it said once:\n%s", n, &log)
			}
		})
	}
}

func health(t *testing.T, url string) (h ingest.Health) {
	t.Helper()
	_, h = getHealth(t, url)
	return h
}

func getHealth(t *testing.T, url string) (code int, h ingest.Health) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, h
}

// waitHealth waits until the worker answers with this status and an error of the
// sink that contains sink.
func waitHealth(t *testing.T, url string, code int, sink string) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		got, h := getHealth(t, url)
		if got == code && strings.Contains(h.Sink, sink) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("got health %d %+v after two minutes, want %d and an error of the sink with %q", got, h, code, sink)
		}
	}
}
