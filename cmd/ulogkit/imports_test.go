package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/ulogkit/ulogkit"

// Other modules that only some packages may import.
const (
	jennifer = "github.com/dave/jennifer"
	yaml     = "go.yaml.in/yaml"
	gopacket = "github.com/google/gopacket"
	paho     = "github.com/eclipse/paho.golang"
	pahoOld  = "github.com/eclipse/paho.mqtt.golang"
	bbolt    = "go.etcd.io/bbolt"
	flock    = "github.com/gofrs/flock"
	mochi    = "github.com/mochi-mqtt/server"
	metrics  = "github.com/prometheus/client_golang"
	xtime    = "golang.org/x/time"
	xnet     = "golang.org/x/net"
	xsync    = "golang.org/x/sync"
	frame    = "github.com/go-delve/delve/pkg/dwarf"
	demangle = "github.com/ianlancetaylor/demangle"
	zstd     = "github.com/klauspost/compress"
	nats     = "github.com/nats-io"
	otlp     = "go.opentelemetry.io/proto/otlp"
	protobuf = "google.golang.org/protobuf"
)

// rule says what a package and those below it may import besides the standard
// library and the packages below it.
type rule struct {
	dir     string
	allowed []string // packages of this module by directory, others by module
	peers   bool     // any other module, to compare with
}

// importTable is the house's. The first rule whose directory holds a package
// is the package's. cmd may import all and is not in it; nobody imports cmd.
var importTable = []rule{
	{dir: "spec", allowed: []string{yaml}},
	{dir: "gen", allowed: []string{"spec", jennifer}},
	{dir: "format/topic"},
	{dir: "format/dict", allowed: []string{"format", "format/internal/firmware"}},
	{dir: "format/text", allowed: []string{"format"}},
	{dir: "format/crash", allowed: []string{"format", "format/internal/firmware", frame, demangle}},
	{dir: "format/internal/firmware", allowed: []string{zstd}},
	{dir: "format/formattest"}, // for tests: what real agents wrote
	{dir: "format/logtest", allowed: []string{"format"}},
	{dir: "format"},
	{dir: "wire", allowed: []string{"format", "format/topic", gopacket, zstd}},
	// The stand-in cloud is part of the uploader's package tree.
	{dir: "mqttv5/localcloud", allowed: []string{"format", "format/topic", "mqttv5", "mqttv5/device", "mqttv5/durable", "mqttv5/internal/fault", "mqttv5/internal/guard", "mqttv5/telemetry", mochi, xtime}},
	// Sinks and exporters are the only ones to know their servers, and a worker
	// knows none of them.
	{dir: "mqttv5/ingest/natssink", allowed: []string{"mqttv5/ingest", "mqttv5/internal/fault", "mqttv5/internal/wait", nats}},
	{dir: "mqttv5/ingest/sinks", allowed: []string{"mqttv5/durable", "mqttv5/ingest", "mqttv5/ingest/natssink", "mqttv5/internal/fault", "mqttv5/internal/link", nats}},
	{dir: "mqttv5/ingest/fleet", allowed: []string{"format", "format/dict", "mqttv5/device", "mqttv5/ingest/otlp", "mqttv5/tokens"}},
	{dir: "mqttv5/ingest/otlp", allowed: []string{"format", "format/text", "format/topic", "mqttv5/device", "mqttv5/ingest", "mqttv5/internal/fault", "mqttv5/internal/wait", "mqttv5/durable", "mqttv5/telemetry", otlp, protobuf, metrics, flock, xnet}},
	{dir: "mqttv5/ingest", allowed: []string{"format", "format/topic", "mqttv5/connection", "mqttv5/durable", "mqttv5/internal/fault", "mqttv5/internal/link", "mqttv5/internal/wait", "mqttv5/telemetry", metrics}},
	// Leaves: what the rooms of the uploader share.
	{dir: "mqttv5/internal/fault"},
	{dir: "mqttv5/durable"},
	{dir: "mqttv5/telemetry", allowed: []string{"mqttv5/internal/wait"}},
	{dir: "mqttv5/internal/guard"},
	{dir: "mqttv5/internal/wait"},
	{dir: "mqttv5/internal/cloud", allowed: []string{"mqttv5/internal/fault"}},
	{dir: "mqttv5/internal/presigned", allowed: []string{"mqttv5/internal/fault", "mqttv5/internal/link"}},
	{dir: "mqttv5/internal/mqtttest", allowed: []string{"format/topic", paho}},
	{dir: "mqttv5/internal/childtest"},
	{dir: "mqttv5/internal/mosquitto"},
	{dir: "mqttv5/catest"}, // for tests: certificates
	{dir: "mqttv5/internal/devicetest", allowed: []string{"format", "mqttv5/device"}},
	{dir: "mqttv5/internal/payload", allowed: []string{"format", "mqttv5/device", "mqttv5/internal/fault", "mqttv5/telemetry"}},
	{dir: "mqttv5/device", allowed: []string{"format", "format/topic", "mqttv5/internal/cloud", "mqttv5/internal/fault"}},
	// What a host lends, and for each library of a host a package of its own, which
	// nothing else imports.
	{dir: "mqttv5/lent/internal/topics", allowed: []string{"mqttv5/lent"}},
	{dir: "mqttv5/lent/paho5", allowed: []string{"mqttv5/lent", "mqttv5/lent/internal/topics", paho}},
	{dir: "mqttv5/lent/paho311", allowed: []string{"mqttv5/lent", "mqttv5/lent/internal/topics", pahoOld}},
	{dir: "mqttv5/lent"},
	// Rooms, which do not know each other.
	{dir: "mqttv5/internal/link", allowed: []string{"mqttv5/internal/fault", "mqttv5/internal/guard", "mqttv5/internal/wait", "mqttv5/lent", paho, xtime, xnet}},
	{dir: "mqttv5/connection", allowed: []string{"mqttv5/internal/fault", "mqttv5/internal/link", "mqttv5/lent", "mqttv5/tokens"}}, // a configuration, which names them
	{dir: "mqttv5/tokens", allowed: []string{"mqttv5/durable", "mqttv5/internal/fault", flock}},
	{dir: "mqttv5/outbox/internal/boltfile", allowed: []string{"mqttv5/durable", bbolt}},
	{dir: "mqttv5/outbox", allowed: []string{
		"format", "mqttv5/device", "mqttv5/durable", "mqttv5/internal/fault", "mqttv5/internal/payload", "mqttv5/internal/wait", "mqttv5/outbox/internal/boltfile", "mqttv5/telemetry",
		bbolt, flock, metrics,
	}},
	{dir: "mqttv5/spool", allowed: []string{"format", "mqttv5/device", "mqttv5/durable", "mqttv5/internal/fault", "mqttv5/internal/payload"}},
	// Above the uploader.
	{dir: "mqttv5/gateway", allowed: []string{"mqttv5", "mqttv5/device", "mqttv5/durable", "mqttv5/spool", metrics}},
	{dir: "mqttv5", allowed: []string{
		"format", "format/topic", "mqttv5/connection", "mqttv5/device", "mqttv5/outbox", "mqttv5/tokens",
		"mqttv5/internal/cloud", "mqttv5/internal/fault", "mqttv5/internal/link", "mqttv5/internal/payload", "mqttv5/internal/presigned", "mqttv5/internal/wait",
		"mqttv5/telemetry", metrics, xsync,
	}},
	{dir: "bench", allowed: []string{"spec", "format", "wire", "mqttv5/durable"}, peers: true},
	{dir: "fuzz", allowed: []string{"spec", "format", "wire"}, peers: true},
}

// This test stands in cmd because cmd alone may know every package: anywhere
// else the table would have to be told by a package that is in it.
func TestImportTableIsKept(t *testing.T) {
	packages := listPackages(t)
	checked := map[string]bool{}
	for _, p := range packages {
		dir := directory(p.ImportPath)
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if within(directory(path), "cmd") && !within(dir, "cmd") {
				t.Errorf("got %s importing %s, want nobody to import cmd", dir, path)
			}
		}

		i := slices.IndexFunc(importTable, func(r rule) bool { return within(dir, r.dir) })
		if i < 0 {
			if !within(dir, "cmd") {
				t.Errorf("got no line for %s in the import table, want one", dir)
			}
			continue
		}

		checked[importTable[i].dir] = true
		for _, path := range p.Imports {
			if !importTable[i].allows(path) {
				t.Errorf("got %s importing %s, want only what the table allows", dir, path)
			}
		}

		// A test may use what it likes of others, but wire and mqttv5 do not
		// know each other even there.
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if other := directory(path); within(dir, "wire") && within(other, "mqttv5") || within(dir, "mqttv5") && within(other, "wire") {
				t.Errorf("got a test of %s importing %s, want the two not to know each other", dir, path)
			}
		}
	}

	for _, dir := range []string{"spec", "format", "format/crash", "mqttv5", "mqttv5/internal/link", "mqttv5/ingest", "mqttv5/ingest/natssink", "mqttv5/ingest/otlp", "wire"} {
		if !checked[dir] {
			t.Errorf("got no package in %s, want at least one", dir)
		}
	}
}

// The outbox and the tokens know nothing of MQTT, not even in their tests or by way
// of another package.
func TestOutboxAndTokensKnowNoMQTT(t *testing.T) {
	for _, dir := range []string{"mqttv5/outbox", "mqttv5/tokens"} {
		out, err := exec.Command("go", "list", "-deps", "-test", modulePath+"/"+dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		packages := strings.Fields(string(out))
		if len(packages) < 20 {
			t.Fatalf("%s: got %d packages, want at least 20", dir, len(packages))
		}
		for _, path := range packages {
			for _, unknown := range []string{paho, mochi, modulePath + "/mqttv5/internal/link"} {
				if within(path, unknown) {
					t.Errorf("got %s or a test of it reaching %s, want neither to", dir, path)
				}
			}
		}
	}
}

func (r rule) allows(path string) bool {
	if standard(path) {
		return true
	}
	if dir := directory(path); dir != "" {
		// A package belongs to the first rule that fits, so that mqttv5
		// does not get at mqttv5/ingest by being above it.
		for _, other := range importTable {
			if within(dir, other.dir) {
				return other.dir == r.dir || slices.Contains(r.allowed, other.dir)
			}
		}
		return false
	}
	return r.peers || slices.ContainsFunc(r.allowed, func(module string) bool { return within(path, module) })
}

// standard reports whether the path is one of the standard library.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// directory returns the directory of a package of this module, or "".
func directory(path string) string {
	dir, _ := strings.CutPrefix(path, modulePath+"/")
	if dir == path {
		return ""
	}
	return dir
}

// within reports whether the path is dir or below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}

type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", modulePath+"/...")
	out, err := cmd.Output()
	if err != nil {
		if status := (*exec.ExitError)(nil); errors.As(err, &status) {
			t.Fatalf("got error %v of go list, want none: %s", err, status.Stderr)
		}
		t.Fatal(err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// The page that people read has a row for each rule, with the same words.
func TestImportTableIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "besides the standard library |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var want strings.Builder
	for _, r := range importTable {
		var names []string
		for _, path := range r.allowed {
			names = append(names, strings.TrimPrefix(strings.TrimPrefix(path, "github.com/"), "golang.org/"))
		}
		allowed := strings.Join(names, ", ")
		switch {
		case len(r.allowed) == 0 && r.dir != "format":
			allowed = "nothing"
		case r.peers:
			allowed += ", and any module to compare with"
		case r.dir == "format":
			allowed = "nothing, and of the standard library only encoding/binary, errors, iter, math, math/bits, strconv"
		}
		fmt.Fprintf(&want, "| %s | %s |\n", r.dir, allowed)
	}

	want.WriteString("| cmd | all |")
	if table != want.String() {
		t.Errorf("got the table below in CONTRIBUTING.md\n%s\nwant that of the rules\n%s", table, &want)
	}
}

func TestImportRulesAllowOnlyWhatTheySay(t *testing.T) {
	byDir := map[string]rule{}
	for _, r := range importTable {
		byDir[r.dir] = r
	}

	for _, c := range []struct {
		dir, path string
		want      bool
	}{
		{"format", "errors", true},
		{"format", modulePath + "/spec", false},
		{"format", modulePath + "/gen", false},
		{"format", yaml + "/v4", false},
		{"format/crash", modulePath + "/format", true},
		{"format/crash", frame + "/frame", true},
		{"format/crash", modulePath + "/format/internal/firmware", true},
		{"format/crash", modulePath + "/format/dict", false},
		{"format/dict", modulePath + "/format/internal/firmware", true},
		{"format/dict", frame + "/frame", false},
		{"format/text", modulePath + "/format/dict", false},
		{"gen", modulePath + "/spec", true},
		{"gen", jennifer + "/jen", true},
		{"spec", modulePath + "/format", false},
		{"wire", modulePath + "/mqttv5", false},
		{"mqttv5", modulePath + "/wire", false},
		{"mqttv5", modulePath + "/mqttv5/internal/link", true},
		{"mqttv5", paho + "/paho", false},
		{"mqttv5/ingest", paho + "/paho", false},
		{"mqttv5", pahoOld, false},
		{"mqttv5", modulePath + "/mqttv5/lent/paho311", false},
		{"mqttv5/lent/paho311", pahoOld, true},
		{"mqttv5/lent/paho5", pahoOld, false},
		{"mqttv5/internal/link", paho + "/packets", true},
		{"mqttv5/internal/link", modulePath + "/mqttv5/tokens", false},
		{"mqttv5/internal/link", modulePath + "/mqttv5/device", false},
		{"mqttv5", modulePath + "/mqttv5/ingest", false},
		{"mqttv5/device", modulePath + "/mqttv5", false},
		{"mqttv5/tokens", paho + "/paho", false},
		{"mqttv5/tokens", bbolt, false},
		{"mqttv5/outbox", paho + "/packets", false},
		{"mqttv5/outbox", modulePath + "/mqttv5/tokens", false},
		{"mqttv5/outbox", modulePath + "/mqttv5/internal/link", false},
		{"mqttv5", bbolt, false},
		{"mqttv5/internal/fault", modulePath + "/mqttv5/device", false},
		{"mqttv5/durable", modulePath + "/mqttv5/internal/fault", false},
		{"mqttv5/ingest", modulePath + "/mqttv5", false},
		{"mqttv5/ingest", modulePath + "/mqttv5/outbox", false},
		{"mqttv5/ingest", modulePath + "/mqttv5/internal/link", true},
		{"mqttv5/ingest", modulePath + "/mqttv5/ingest/filesink", true},
		{"mqttv5/ingest", modulePath + "/mqttv5/ingest/natssink", false},
		{"mqttv5/ingest", nats + "/nats.go", false},
		{"mqttv5/ingest", otlp + "/logs/v1", false},
		{"mqttv5/ingest", protobuf + "/proto", false},
		{"mqttv5/ingest/natssink", nats + "/nats.go/jetstream", true},
		{"mqttv5/ingest/natssink", protobuf + "/proto", false},
		{"mqttv5/ingest/natssink", modulePath + "/mqttv5/ingest/otlp", false},
		{"mqttv5/ingest/otlp", otlp + "/logs/v1", true},
		{"mqttv5/ingest/otlp", protobuf + "/proto", true},
		{"mqttv5/ingest/otlp", nats + "/nats.go", false},
		{"mqttv5/ingest/otlp", modulePath + "/format/dict", false},
		{"mqttv5", mochi + "/v2", false},
		{"bench", nats + "/nats.go", true},
		{"bench", modulePath + "/format", true},
		{"fuzz", modulePath + "/gen", false},
		{"mqttv5", "github.com/eclipse/paho.golang2/paho", false},
	} {
		if got := byDir[c.dir].allows(c.path); got != c.want {
			t.Errorf("%s importing %s: got allowed: %v, want %v", c.dir, c.path, got, c.want)
		}
	}
}
