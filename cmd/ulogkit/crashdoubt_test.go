package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// A dump whose return addresses lead behind no call of the firmware may be of another
// build: that is said above the backtrace, and the exit code is 1, also with --json.
//
// Case crash/wrong-firmware-silent.
func TestDoubtAboutFirmwareIsToldFirst(t *testing.T) {
	dumps := filepath.Join("..", "..", "format", "crash", "testdata", "dumps")
	b, err := os.ReadFile(filepath.Join(dumps, "01.bin"))
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := format.ParseCoreDump(b)
	if err != nil {
		t.Fatal(err)
	}

	// Behind the registers is the stack.
	const first, last = 0x200, 0x800 // where the code is
	moved := 0
	for at := format.RegistersSize; at+4 <= len(d.Crash); at += 4 {
		if word := binary.LittleEndian.Uint32(d.Crash[at:]); word&1 == 1 && word > first && word < last {
			binary.LittleEndian.PutUint32(d.Crash[at:], word+2)
			moved++
		}
	}
	d.Seal()
	if b, err = d.AppendTo(nil); err != nil || moved < 3 {
		t.Fatalf("%d addresses moved, %v, want at least 3", moved, err)
	}
	file := filepath.Join(t.TempDir(), "doubtful.bin")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, flags := range []string{"", "--json"} {
		root := newRoot()
		var out, errs bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&errs)
		args := append(strings.Fields("crash "+flags), "--elf", filepath.Join(dumps, "firmware.elf"), file)
		if got := run(t.Context(), root, args); got != exitData || !strings.Contains(errs.String(), "it may not be of ") {
			t.Errorf("%q: exit code %d, want %d; standard error %q", flags, got, exitData, &errs)
		}
		match, where := strings.Index(out.String(), "  match    doubtful: "), strings.Index(out.String(), "\nwhere\n")
		if flags == "" && (match < 0 || where < match) || flags != "" && !strings.Contains(out.String(), `"match":"doubtful","match_reasons":["`) {
			t.Errorf("%q: want the doubt told before the place, got\n%s", flags, &out)
		}
	}
}
