package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// TestIngestScript runs testdata/ingest/*.txtar. Beyond the commands of TestScript
// they have these:
//
//	worker ARG...      start "ulogkit ingest ARG...", wait until it is connected, set
//	                   $HEALTH to the address of --listen
//	follower ARG...    start "ulogkit export --follow ARG..." in the same way
//	stopworker         interrupt it; it must end with exit code 0
//	stopfollower       the same
//	stored DIR COUNT   wait until the file sink in DIR holds that many records
//	sink DIR COUNT [CUT]
//	                   make a file sink of so many logs, and then cut so many bytes from
//	                   the end of its segment, as storage does that lied about a flush
//	receiver           start an OTLP receiver, set $OTLP to its address and $SECRETOTLP
//	                   to that with a user and a password; it writes what it gets to
//	                   otlp.txt, a line each. With $OTLPANSWER html when it is started it
//	                   answers with a page; any other word is one that it refuses
//	fetch CODE URL     GET it; the body becomes fetched.txt
//	becomes URL TEXT   GET it until the body holds the text
//	natsserver         start a NATS server with JetStream, set $NATS to its address; it
//	                   wants the credentials of nats.creds, and nats-ca.pem vouches for it
//	streams NAME...    the server holds these streams and no other
func TestIngestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/ingest",
		RequireUniqueNames: true,
		Setup:              writeVectors(t),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "cloud": cloud, "worker": worker, "sink": makeSink, "follower": follower, "stored": stored,
			"receiver": receiver, "fetch": fetch, "becomes": becomes, "await": await,
			"natsserver": natsServer, "transcribed": isTranscribed, "flip": flip, "holds": holds, "keep": keep,
		},
	})
}

// The contract names these flags; scripts rely on them.
func TestIngestHasTheFlagsOfItsContract(t *testing.T) {
	for name, flags := range map[string]string{
		"ingest": "broker cert key ca customer group insecure-plaintext sink name listen leave receive-maximum replicas quarantine-dir nats-stream nats-creds nats-ca",
		"export": "from otlp elf-dir store position header headers-file batch-records batch-bytes accept-empty follow timeout listen nats-stream nats-creds nats-ca",
		"stored": "from extract accept-loss json nats-stream nats-creds nats-ca",
		"demo":   "ingest",
	} {
		cmd, _, err := newRoot().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range strings.Fields(flags) {
			if cmd.Flags().Lookup(flag) == nil {
				t.Errorf("got no flag --%s of %s, want it", flag, name)
			}
		}
	}
}

// daemon is a program that a script has started.
type daemon struct {
	cmd     *exec.Cmd
	drained chan struct{}
	log     strings.Builder // of standard error; complete when drained
}

// end waits until the program has ended, and gives the script what it printed.
func (d *daemon) end(ts *testscript.TestScript) error {
	<-d.drained
	err := d.cmd.Wait()
	ts.Logf("[%s]\n%s", d.cmd.Args[1], d.log.String())
	return err
}

func worker(ts *testscript.TestScript, _ bool, args []string) {
	start(ts, "worker", "msg=connected", append([]string{"ingest"}, args...))
}

func follower(ts *testscript.TestScript, _ bool, args []string) {
	start(ts, "follower", "metrics and health at ", append([]string{"export", "--follow"}, args...))
}

// start starts ulogkit and waits until it prints a line with the text ready.
func start(ts *testscript.TestScript, name, ready string, args []string) {
	d := &daemon{cmd: exec.Command("ulogkit", args...), drained: make(chan struct{})}
	d.cmd.Dir = ts.MkAbs(".")
	d.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "GORACE="+race, transcripts+"="+ts.Getenv(transcripts))
	out, err := d.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(d.cmd.Start())
	stopped := false
	ts.Defer(func() {
		if !stopped {
			d.cmd.Process.Kill() // a script that failed did not stop it
			d.end(ts)
		}
	})

	ts.SetCmd("stop"+name, func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Check(d.cmd.Process.Signal(syscall.SIGTERM))
		stopped = true
		if err := d.end(ts); err != nil {
			ts.Fatalf("got end %v of the %s, want exit code 0", err, name)
		}
	})

	lines := bufio.NewScanner(out)
	for found := false; !found; {
		if !lines.Scan() {
			close(d.drained)
			ts.Fatalf("got no start of the %s, want one", name)
		}
		fmt.Fprintln(&d.log, lines.Text())
		if rest, ok := strings.CutPrefix(lines.Text(), "metrics and health at "); ok {
			ts.Setenv("HEALTH", rest)
		}
		found = strings.Contains(lines.Text(), ready)
	}

	go func() {
		defer close(d.drained)
		for lines.Scan() {
			fmt.Fprintln(&d.log, lines.Text())
		}
	}()
}

func stored(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	var got int

	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // polls files of another process
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
			ts.Fatalf("got %d records in %s, want %d", got, args[0], want)
		}
	}
}

func makeSink(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	s, err := filesink.Open(filesink.Config{Dir: dir})
	ts.Check(err)
	for range count {
		n := s.Next()
		b, err := format.NewLogBuilder(3)
		ts.Check(err)
		ts.Check(b.Add(&format.Record{Level: format.LevelInfo, FmtAddr: 0x8000, Args: []format.Arg{format.ArgString(fmt.Sprintf("text-%d", n))}}))
		payload, err := b.AppendTo(nil)
		ts.Check(err)
		ts.Check(s.Append(context.Background(), []ingest.Record{{
			Time: time.Now(), Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: payload, Key: ingest.Key{1: byte(n)},
		}}))
	}

	ts.Check(s.Close())
	if len(args) < 3 {
		return
	}
	cut, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	name := filepath.Join(dir, "00000000000000000001.seg")
	info, err := os.Stat(name)
	ts.Check(err)
	ts.Check(os.Truncate(name, info.Size()-cut))
}

func receiver(ts *testscript.TestScript, _ bool, _ []string) {
	out, err := os.Create(ts.MkAbs("otlp.txt"))
	ts.Check(err)
	word := ts.Getenv("OTLPANSWER")
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}

		if word == "html" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>login</html>")
			return
		} else if word != "" && strings.Contains(string(body), word) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, "attribute too long\x1b[31m\nmore")
			return
		}

		w.Header().Set("Content-Type", "application/x-protobuf")
		fmt.Fprintf(out, "request %s, authorization %q\n", req.URL.Path, req.Header.Get("Authorization"))
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
	ts.Setenv("SECRETOTLP", strings.Replace(srv.URL, "://", "://canaryUSER:canaryPASSWORD@", 1))
}

func fetch(ts *testscript.TestScript, _ bool, args []string) {
	status, body, err := getURL(args[1])
	ts.Check(err)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("got status %d, want %s\n%s", status, args[0], body)
	}
	ts.Check(os.WriteFile(ts.MkAbs("fetched.txt"), body, 0o644))
	// It is shown to people as well.
	f, err := os.CreateTemp(ts.Getenv(transcripts), "fetched")
	ts.Check(err)
	_, err = fmt.Fprintf(f, "fetched %s\n%s", args[1], body)
	ts.Check(errors.Join(err, f.Close()))
}

func becomes(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // polls another process
		_, body, err := getURL(args[0])
		ts.Check(err)
		if strings.Contains(string(body), args[1]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: got the text below, want %q in it\n%s", args[0], args[1], body)
		}
	}
}

func getURL(url string) (status int, body []byte, err error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
