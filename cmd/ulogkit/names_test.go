package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/connection"
	"github.com/ulogkit/ulogkit/mqttv5/gateway"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	exporting "github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
	"github.com/ulogkit/ulogkit/mqttv5/spool"
)

const namesFile = root + "/mqttv5/NAMES.md"

// operated is one of each of what is operated, and never run.
type operated struct {
	client   *mqttv5.Client
	gateway  *gateway.Gateway
	exporter *exporting.Exporter
	worker   ingest.Config
}

func operate(t *testing.T) operated {
	t.Helper()
	var made operated
	where := connection.Config{Broker: "127.0.0.1", Port: 1, CustomerID: "1", InsecurePlaintext: true}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	var err error
	made.client, err = mqttv5.New(where)
	check(err)
	t.Cleanup(func() { made.client.Close() })
	box, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: t.TempDir()})
	check(err)
	t.Cleanup(func() { box.Close() })
	files, err := spool.New(spool.Config{Dir: t.TempDir()}, box)
	check(err)
	made.gateway, err = gateway.New(gateway.Config{Client: made.client, Outbox: box, Spool: files})
	check(err)
	sink, err := filesink.Open(filesink.Config{Dir: t.TempDir()})
	check(err)
	t.Cleanup(func() { sink.Close() })
	source, err := filesink.OpenSource(sinkDir(t))
	check(err)
	made.exporter, err = exporting.New(exporting.Config{Source: source, URL: "http://127.0.0.1:1"})
	check(err)
	made.worker = ingest.Config{Connection: where, Group: "g", Sink: sink}
	return made
}

// sinkDir is the folder of an empty sink that nobody writes.
func sinkDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sink, err := filesink.Open(filesink.Config{Dir: dir})
	if err == nil {
		err = sink.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The names of metrics, events and log messages stand in one table. Those of metrics and
// events are those of the code; of the messages a few may be missing until
// "go test ./cmd/ulogkit -run TestNamesPageIsCurrent -args -update" writes the table anew.
func TestNamesPageIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Names

What a gateway, a worker and an export say of themselves: metrics for Prometheus, events of a client's Hooks, messages of the
Logger with their attributes. Written by ` + "`go test ./cmd/ulogkit -run TestNamesPageIsCurrent -args -update`" + ` from the code, and compared with it by the same
test. The names of metrics and events are stable, and so are the attributes; the words of messages are not, and the newest may be missing here.

Two clients, outboxes, gateways or exporters in one registry need a label each:

` + "```go" + `
prometheus.WrapRegistererWith(prometheus.Labels{"client": "north"}, registry).MustRegister(mqttv5.NewCollector(north, nil))
prometheus.WrapRegistererWith(prometheus.Labels{"client": "south"}, registry).MustRegister(mqttv5.NewCollector(south, nil))
` + "```" + `

Without one the second registration fails with "duplicate metrics collector registration attempted"; with a label on one of the
two only, with "different label names". Workers have a label of their own, worker, which is their Config's Name.

## Metrics

Everything that ends in ` + "`_seconds`" + ` is in seconds, in ` + "`_bytes`" + ` in bytes. Those of a worker have the label worker.

| metric | type | labels | what |
|---|---|---|---|
`)
	for _, m := range gathered(t) {
		fmt.Fprintln(&b, m)
	}
	b.WriteString("\n## Events\n\n`Hooks.Event` gets an Event with a Kind, whose String is the name.\n\n| event |\n|---|\n")
	for kind := connection.EventKind(1); kind.String() != "unknown"; kind++ {
		fmt.Fprintf(&b, "| %s |\n", kind)
	}
	b.WriteString("\n## Log messages\n\n| package | level | message | attributes |\n|---|---|---|---|\n")
	for _, m := range logged(t) {
		fmt.Fprintln(&b, m)
	}

	if *update {
		if err := os.WriteFile(namesFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(namesFile)
	if err != nil {
		t.Fatal(err)
	}
	if want := b.String(); string(old) != want {
		said := strings.Split(string(old), "\n")
		names, _, _ := strings.Cut(want, "\n## Log messages\n")
		lacks := 0
		for line := range strings.Lines(want) {
			line = strings.TrimSuffix(line, "\n")
			if slices.Contains(said, line) {
				continue
			}
			lacks++
			t.Logf("mqttv5/NAMES.md lacks %s", line)
		}
		// The words of messages change more often than the table is written anew.
		if !strings.HasPrefix(string(old), names) || lacks > 10 {
			t.Errorf("got an mqttv5/NAMES.md that lacks %d lines, want that of the code but for 10 messages: run \"go test ./cmd/ulogkit -run TestNamesPageIsCurrent -args -update\"", lacks)
		}
	}
}

var update = flag.Bool("update", false, "write mqttv5/NAMES.md anew")

// gathered returns a row for each metric.
func gathered(t *testing.T) (rows []string) {
	made, registry := operate(t), prometheus.NewRegistry()
	registry.MustRegister(gateway.NewCollector(made.gateway), exporting.NewCollector(made.exporter))
	register(t, registry, made.worker, "one")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		var labels []string
		for _, l := range f.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp()))
	}
	if len(rows) < 30 {
		t.Errorf("got %d metrics, want at least 30", len(rows))
	}
	return rows
}

// register registers the metrics of a worker.
func register(t *testing.T, registry *prometheus.Registry, cfg ingest.Config, name string) {
	t.Helper()
	cfg.Name = name
	w, err := ingest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	registry.MustRegister(ingest.NewCollector(w))
}

// logged returns a row for each message that code gives a logger.
func logged(t *testing.T) (rows []string) {
	levels := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3}
	err := filepath.WalkDir(root+"/mqttv5", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || strings.Contains("/"+filepath.ToSlash(dir)+"/", "/localcloud/") {
			return err // whose messages are for who develops
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}

		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			to, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || levels[to.Sel.Name] == 0 || len(call.Args) < levels[to.Sel.Name] {
				return true
			}

			args := call.Args[levels[to.Sel.Name]-1:]
			message, ok := literal(args[0])
			if !ok {
				return true
			}
			var keys []string
			for i := 1; i < len(args); i += 2 {
				if key, ok := literal(args[i]); ok {
					keys = append(keys, key)
				}
			}

			level := strings.ToLower(to.Sel.Name)
			if level == "log" {
				level = "warn, debug"
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", filepath.ToSlash(dir), level, message, strings.Join(keys, ", ")))
			return true
		})

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if len(rows) < 20 {
		t.Errorf("got %d messages, want at least 20", len(rows))
	}
	slices.SortFunc(rows, cmp.Compare[string])
	return slices.Compact(rows)
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// Two of each are in one registry if each has a label; without, the error says so.
func TestTwoClientsFitOneRegistry(t *testing.T) {
	one, two, registry := operate(t), operate(t), prometheus.NewRegistry()
	for name, made := range map[string]operated{"one": one, "two": two} {
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"client": name}, registry)
		for _, c := range []prometheus.Collector{gateway.NewCollector(made.gateway), exporting.NewCollector(made.exporter)} {
			if err := labelled.Register(c); err != nil {
				t.Fatal(err)
			}
		}
		register(t, registry, made.worker, name)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if got := len(f.Metric); got%2 != 0 {
			t.Errorf("%s has %d metrics, want one for each", f.GetName(), got)
		}
	}

	bare := prometheus.NewRegistry()
	bare.MustRegister(mqttv5.NewCollector(one.client, nil))
	err = bare.Register(mqttv5.NewCollector(two.client, nil))
	if twice := (prometheus.AlreadyRegisteredError{}); !errors.As(err, &twice) || err.Error() != "duplicate metrics collector registration attempted" {
		t.Errorf("without a label: got error %v, want %T", err, twice)
	}
	err = prometheus.WrapRegistererWith(prometheus.Labels{"client": "two"}, bare).Register(mqttv5.NewCollector(two.client, nil))
	if err == nil || !strings.Contains(err.Error(), "different label names") {
		t.Errorf("with a label on one only: got error %v, want one that says \"different label names\"", err)
	}
}
