package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	otlplogs "go.opentelemetry.io/proto/otlp/logs/v1"
	otlpmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// TestIngestScript runs testdata/ingest/*.txtar. Beyond the commands of TestScript
// they have these:
//
//	worker ARG...      start "ulogkit ingest ARG...", wait until it is connected, set
//	                   $HEALTH to the address of --listen
//	stopworker         interrupt it; it must end with exit code 0
//	stored DIR COUNT   wait until the file sink in DIR holds that many records
//	receiver           start an OTLP receiver, set $OTLP to its address; it writes
//	                   what it gets to otlp.txt, a line each
//	fetch CODE URL     GET it; the body becomes fetched.txt
func TestIngestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/ingest",
		RequireUniqueNames: true,
		Setup:              writeVectors,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "cloud": cloud, "worker": worker, "stored": stored, "receiver": receiver, "fetch": fetch,
		},
	})
}

// The contract names these flags; scripts rely on them.
func TestIngestContract(t *testing.T) {
	for name, flags := range map[string]string{
		"ingest": "broker cert key ca customer group insecure-plaintext sink name listen leave receive-maximum replicas",
		"export": "from otlp elf-dir store position header follow replicas",
		"demo":   "ingest",
	} {
		cmd, _, err := newRoot().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range strings.Fields(flags) {
			if cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s has no --%s", name, flag)
			}
		}
	}
}

func worker(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("ulogkit", append([]string{"ingest"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	out, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	drained := make(chan struct{})
	var log strings.Builder
	ts.Defer(func() {
		cmd.Process.Kill() // a script that failed did not stop it
		<-drained
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	connected := false
	for !connected && lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "metrics and health at "); ok {
			ts.Setenv("HEALTH", rest)
		}
		connected = strings.Contains(lines.Text(), "msg=connected")
	}
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	if !connected {
		<-drained
		ts.Fatalf("the worker did not connect:\n%s", log.String())
	}
	ts.SetCmd("stopworker", func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		<-drained
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("the worker ended with %v", err)
		}
	})
}

func stored(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := 0
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // polls files of another process
		got = 0
		r, err := filesink.OpenReader(ts.MkAbs(args[0]), 0)
		ts.Check(err)
		for {
			if _, err := r.Next(context.Background()); err != nil {
				break
			}
			got++
		}
		r.Close()
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s holds %d records, want %d", args[0], got, want)
		}
	}
}

func receiver(ts *testscript.TestScript, _ bool, _ []string) {
	out, err := os.Create(ts.MkAbs("otlp.txt"))
	ts.Check(err)
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		switch req.URL.Path {
		case "/v1/logs":
			var m otlplogs.LogsData
			if err := proto.Unmarshal(body, &m); err != nil {
				fmt.Fprintln(out, "bad request:", err)
			}
			for _, r := range m.ResourceLogs {
				fmt.Fprint(out, "device")
				for _, kv := range r.Resource.Attributes {
					if s := kv.Value.GetStringValue(); s != "" {
						fmt.Fprintf(out, " %s=%s", kv.Key, s)
					}
				}
				fmt.Fprintln(out)
				for _, l := range r.ScopeLogs[0].LogRecords {
					fmt.Fprintln(out, "log", l.SeverityText, l.Body.GetStringValue())
				}
			}
		case "/v1/metrics":
			var m otlpmetrics.MetricsData
			if err := proto.Unmarshal(body, &m); err != nil {
				fmt.Fprintln(out, "bad request:", err)
			}
			for _, r := range m.ResourceMetrics {
				for _, l := range r.ScopeMetrics[0].Metrics {
					for _, p := range l.GetGauge().DataPoints {
						fmt.Fprintln(out, "metric", l.Name, p.GetAsInt(), p.GetAsDouble())
					}
				}
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	ts.Defer(func() {
		srv.Close()
		out.Close()
	})
	ts.Setenv("OTLP", srv.URL)
}

func fetch(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get(args[1])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("status %d, want %s\n%s", resp.StatusCode, args[0], body)
	}
	ts.Check(os.WriteFile(ts.MkAbs("fetched.txt"), body, 0o644))
}
