package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pzstd "github.com/klauspost/compress/zstd"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// kindsOfFiles are a file of each kind and what says which commands take it.
var kindsOfFiles = map[string]string{
	"log.bin":          `"ulogkit decode"`,
	"core.bin":         `"ulogkit crash"`,
	"fw.elf":           `--elf`,
	"dict.json":        `--elf`,
	"dict.csv":         `--elf`,
	"traffic.pcap":     `"ulogkit capture"`,
	"traffic.pcap.gz":  `"ulogkit capture"`,
	"traffic.pcap.zst": `"ulogkit capture"`,
	"log.bin.gz":       `gunzip; then "ulogkit decode"`,
	"core.bin.zst":     `unzstd; then "ulogkit crash"`,
	"any.xz":           `unxz`,
	"any.lz4":          `lz4 -d`,
	"tokens.json":      `--store`,
	"vendor.json":      `--store`,
	"otlp.position":    `--position`,
	"box":              `"ulogkit outbox list"`,
	"box/outbox.db":    `"ulogkit outbox list"`,
	"store":            `"ulogkit stored"`,
	"store/sink":       `"ulogkit stored"`,
	"gateway.crt":      `--cert`,
	"gateway.key":      `--key`,
}

// A file of another kind than a command takes makes it fail with the words what the file
// is and which command takes it: each kind of file, at each place for one.
func TestWrongKindNamesTheRightCommand(t *testing.T) {
	makeKinds(t)
	const (
		device = " --insecure-plaintext --broker 127.0.0.1:1 --customer 1 --application 7 --serial S --git-hash a --device-type t --config /dev/null"
		to     = "upload" + device + " --store none "
		secure = "register --broker 127.0.0.1:1 --customer 1 --application 7 --serial S --git-hash a --device-type t --config /dev/null --store none"
	)

	for command, takes := range map[string]string{
		"inspect":                                "log.bin core.bin",
		"verify":                                 "log.bin core.bin",
		"token":                                  "log.bin",
		"decode":                                 "log.bin",
		"decode log.bin --elf":                   "fw.elf dict.json dict.csv",
		"decode log.bin --elf dict.json --store": "tokens.json vendor.json",
		"crash":                                  "core.bin",
		"crash core.bin --elf":                   "fw.elf dict.json dict.csv", // says itself what it misses in a dictionary
		"dictionary -o out --force":              "fw.elf dict.json dict.csv",
		to:                                       "log.bin",
		to + "--as-is":                           "log.bin",
		to + "--core":                            "core.bin",
		to + "--text":                            "dict.json dict.csv",
		to + "--firmware":                        "fw.elf",
		to + "--outbox":                          "box",
		"register" + device + " --store":         "tokens.json vendor.json",
		secure + " --key gateway.key --cert":     "gateway.crt",
		secure + " --cert gateway.crt --key":     "gateway.key",
		"doctor" + device + " --ca":              "gateway.crt",
		"doctor --config":                        "",
		"outbox list --outbox":                   "box",
		"outbox retry --all --outbox":            "box",
		"gateway" + device + " --outbox":         "box",
		"gateway" + device + " --outbox new --spool":                                                              "",
		"gateway" + device + " --outbox new --config-dir":                                                         "",
		"metric temperature=1" + device + " --outbox":                                                             "box",
		"event boot" + device + " --outbox":                                                                       "box",
		"stored --from file:store --extract":                                                                      "box store",
		"stored --from file:":                                                                                     "store",
		"export --otlp http://127.0.0.1:1 --timeout 1ms --elf-dir . --from file:":                                 "store",
		"export --otlp http://127.0.0.1:1 --timeout 1ms --elf-dir . --from file:store --position":                 "otlp.position",
		"export --otlp http://127.0.0.1:1 --timeout 1ms --elf-dir . --from file:store --headers-file":             "",
		"ingest --group g --insecure-plaintext --broker 127.0.0.1:1 --customer 1 --config /dev/null --sink file:": "store",
		"capture":                    "traffic.pcap traffic.pcap.gz traffic.pcap.zst",
		"capture traffic.pcap --elf": "fw.elf dict.json dict.csv",
	} {
		for file, want := range kindsOfFiles {
			if slices.Contains(strings.Fields(takes), file) {
				continue
			}
			args := strings.Fields(command)
			if last := len(args) - 1; strings.HasSuffix(args[last], ":") {
				args[last] += file
			} else {
				args = append(args, file)
			}

			root := newRoot()
			var said bytes.Buffer
			root.SetOut(&said)
			root.SetErr(&said)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for one that goes on, which is wrong
			code := run(ctx, root, args)
			cancel()
			if code == 0 || !strings.Contains(said.String(), want) {
				t.Errorf("%s: got exit code %d, want an error and %s in:\n%s", strings.Join(args, " "), code, want, &said)
			}
		}
	}
}

// makeKinds makes the files in a folder of its own, as the commands do, and goes there.
func makeKinds(t *testing.T) {
	t.Helper()
	const dumps = "../../format/crash/testdata/dumps/"
	dir := t.TempDir()
	copyFile(t, dumps+"firmware.elf", filepath.Join(dir, "fw.elf"))
	copyFile(t, dumps+"01.bin", filepath.Join(dir, "core.bin"))
	copyFile(t, captureFile(t), filepath.Join(dir, "traffic.pcap"))
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	t.Setenv("XDG_STATE_HOME", dir)
	for _, args := range []string{"sample -o log.bin", "dictionary -o dict.json fw.elf", "dictionary --csv -o dict.csv fw.elf"} {
		if code := run(t.Context(), newRoot(), strings.Fields(args)); code != 0 {
			t.Fatalf("%s: got exit code %d, want 0", args, code)
		}
	}

	compress(t, "traffic.pcap", "traffic.pcap.gz")
	compress(t, "traffic.pcap", "traffic.pcap.zst")
	compress(t, "log.bin", "log.bin.gz")
	compress(t, "core.bin", "core.bin.zst")
	for name, text := range map[string]string{
		"any.xz":        "\xfd7zXZ\x00\x00\x04",
		"any.lz4":       "\x04\x22\x4d\x18\x64\x40\xa7\x00\x00\x00\x00\x05\x5d\xcc\x02",
		"tokens.json":   `{"version": 1, "sessions": [{"broker": "b:1", "customer_id": "1", "application_id": 7, "device_serial": "S", "git_hash": "a", "token": 5}]}`,
		"vendor.json":   `{"S": {"token": 5, "git_hash": "a"}}`,
		"otlp.position": `{"v":1,"sink_name":"store","receiver":"http://127.0.0.1:1","next":5}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	box, err := boxes.Open(boxes.Config{Dir: "box"})
	if err == nil {
		err = box.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	sink, err := filesink.Open(filesink.Config{Dir: "store"})
	if err == nil {
		err = sink.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	makeCertificate(t)
}

func compress(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if strings.HasSuffix(to, ".gz") {
		w := gzip.NewWriter(&packed)
		w.Write(b)
		err = w.Close()
	} else {
		w, made := pzstd.NewWriter(&packed)
		if made != nil {
			t.Fatal(made)
		}
		w.Write(b)
		err = w.Close()
	}

	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func makeCertificate(t *testing.T) {
	t.Helper()
	certPEM, keyPEM := catest.New(t).Issue(1, time.Now().Add(time.Hour))
	for name, b := range map[string][]byte{"gateway.crt": certPEM, "gateway.key": keyPEM} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// captureFile returns the path of a capture file that is kept for tests.
func captureFile(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("../../wire/testdata/*.pcap*")
	if err != nil || len(found) == 0 {
		t.Fatalf("got no capture files, error %v; want some", err)
	}
	return found[0]
}
