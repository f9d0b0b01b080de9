package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of another kind than a command takes makes it fail with the words what the file
// is and which command takes it: each kind of file, at each place for one.
func TestWrongKindNamesTheRightCommand(t *testing.T) {
	const dumps = "../../format/crash/testdata/dumps/"
	dir := t.TempDir()
	copyFile(t, dumps+"firmware.elf", filepath.Join(dir, "fw.elf"))
	copyFile(t, dumps+"01.bin", filepath.Join(dir, "core.bin"))
	copyFile(t, captureFile(t), filepath.Join(dir, "traffic.pcap"))
	t.Chdir(dir)
	t.Setenv("HOME", dir)
	for _, args := range []string{"sample -o log.bin", "dictionary -o dict.json fw.elf"} {
		if code := run(t.Context(), newRoot(), strings.Fields(args)); code != 0 {
			t.Fatalf("%s: exit code %d", args, code)
		}
	}

	right := map[string]string{
		"log.bin":      `"ulogkit decode"`,
		"core.bin":     `"ulogkit crash"`,
		"fw.elf":       `--elf`,
		"dict.json":    `--elf`,
		"traffic.pcap": `"ulogkit capture"`,
	}
	const to = "upload --insecure-plaintext --broker 127.0.0.1:1 --customer 1 --application 7 --serial S --git-hash a --device-type t --config /dev/null --store none "
	for command, takes := range map[string]string{
		"inspect":                    "log.bin core.bin",
		"verify":                     "log.bin core.bin",
		"token":                      "log.bin",
		"decode":                     "log.bin",
		"decode log.bin --elf":       "fw.elf dict.json",
		"crash":                      "core.bin",
		"crash core.bin --elf":       "fw.elf dict.json", // says itself what it misses in a dictionary
		"dictionary -o out --force":  "fw.elf dict.json",
		to:                           "log.bin",
		to + "--core":                "core.bin",
		to + "--text":                "dict.json",
		to + "--firmware":            "fw.elf",
		"capture":                    "traffic.pcap",
		"capture traffic.pcap --elf": "fw.elf dict.json",
	} {
		for file, want := range right {
			if strings.Contains(takes, file) {
				continue
			}
			root := newRoot()
			var said bytes.Buffer
			root.SetOut(&said)
			root.SetErr(&said)
			code := run(t.Context(), root, append(strings.Fields(command), file))
			if code != exitData && code != exitUsage || !strings.Contains(said.String(), want) {
				t.Errorf("%s %s: exit code %d, and this lacks %s:\n%s", command, file, code, want, &said)
			}
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
		t.Fatalf("no capture files: %v", err)
	}
	return found[0]
}
