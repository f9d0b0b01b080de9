// Package formattest has what real agents wrote, for the tests of all packages:
// [Logs] and [Dumps], each with the fields that it was decoded to by others than us.
// A file that is missing, or holds nothing, fails the test.
package formattest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Bytes is written as hexadecimal digits in JSON.
type Bytes []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Bytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// Log is a buffer that one real agent wrote.
type Log struct {
	Name       string    `json:"name"`
	Agent      string    `json:"agent"`
	Buffer     Bytes     `json:"buffer_hex"`
	Header     LogHeader `json:"header"`
	FrameCount int       `json:"frame_count"`
	Shown      string    `json:"frames_shown"` // all, or the first and the last five
	Frames     []Frame   `json:"frames"`
}

// LogHeader has the fields of a log's header; nil for one that its version has not.
type LogHeader struct {
	Version      uint8   `json:"version"`
	SessionToken uint32  `json:"session_token"`
	Sequence     *uint32 `json:"sequence"`
	Tick         *uint32 `json:"tick"`
	TickRateHz   *uint32 `json:"tick_rate_hz"`
	EpochTimeUs  *uint64 `json:"epoch_time_us"`
	DataLen      uint16  `json:"data_len"`
	Checksum     uint16  `json:"checksum"`
}

// Frame is one record of a log.
type Frame struct {
	Sequence  uint16 `json:"sequence"`
	TickDelta uint32 `json:"tick_delta"`
	// DeviceTick is the counter when the record was logged; nil where it is not known.
	DeviceTick *uint32 `json:"device_tick"`
	Level      uint8   `json:"level"`
	Module     uint8   `json:"module"`
	FmtAddr    uint32  `json:"fmt_addr"`
	Fmt        string  `json:"fmt"`
	Args       []Arg   `json:"args"`
	Newlib     *Bytes  `json:"newlib_text_hex"` // what the device's own printf wrote; nil where it was not asked
}

// Arg is one recorded argument.
type Arg struct {
	Type  string  `json:"type"`
	Value *string `json:"value"` // nil for a string that was dropped, and for a double
	Bits  string  `json:"bits"`  // of a double
}

// FrameAt returns frame i of the log; nil where the file leaves it out.
func (v *Log) FrameAt(i int) *Frame {
	switch {
	case v.Shown == "all" || i < 5:
		return &v.Frames[i]
	case i >= v.FrameCount-5:
		return &v.Frames[i-v.FrameCount+10]
	}
	return nil
}

// Dump is a crash dump that one real agent wrote.
type Dump struct {
	Name          string             `json:"name"`
	Core          Bytes              `json:"core_hex"`
	TotalLen      uint32             `json:"total_len"`
	Checksum      uint32             `json:"checksum"`
	Version       uint32             `json:"version"`
	ApplicationID uint32             `json:"application_id"`
	GitHash       string             `json:"git_hash"`
	DeviceType    string             `json:"device_type"`
	DeviceSerial  string             `json:"device_serial"`
	VersionString string             `json:"version_string"`
	Flags         uint32             `json:"flags"`
	Registers     map[string]uint32  `json:"registers"`
	FPRegisters   *map[string]uint32 `json:"fp_registers"`
	Regions       []struct {
		Start uint32 `json:"start"`
		End   uint32 `json:"end"`
	} `json:"regions"`
}

// logFiles have the logs, those of the newest agents last.
var logFiles = []string{"logs.json", "logs_v4.json"}

// Logs returns the logs of all agents.
func Logs(t testing.TB) (all []Log) {
	t.Helper()
	for _, file := range logFiles {
		all = append(all, read[Log](t, file)...)
	}
	return all
}

// Dumps returns the crash dumps.
func Dumps(t testing.TB) []Dump {
	t.Helper()
	return read[Dump](t, "coredumps.json")
}

// LogBytes returns the bytes of the logs alone.
func LogBytes(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, v := range Logs(t) {
		all = append(all, v.Buffer)
	}
	return all
}

// DumpBytes returns the bytes of the crash dumps alone.
func DumpBytes(t testing.TB) (all [][]byte) {
	t.Helper()
	for _, v := range Dumps(t) {
		all = append(all, v.Core)
	}
	return all
}

// LogFields returns the logs as JSON has them, numbers as json.Number.
func LogFields(t testing.TB) (all []map[string]any) {
	t.Helper()
	for _, file := range logFiles {
		all = append(all, read[map[string]any](t, file)...)
	}
	return all
}

// DumpFields returns the crash dumps as JSON has them.
func DumpFields(t testing.TB) []map[string]any {
	t.Helper()
	return read[map[string]any](t, "coredumps.json")
}

// read reads a file of format/testdata, wherever the test runs.
func read[T any](t testing.TB, name string) []T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t), name))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []T
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&vectors); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(vectors) == 0 {
		t.Fatalf("%s: got no vectors, want some", name)
	}
	return vectors
}

// folder returns format/testdata. With -trimpath a file does not know where it lies, and
// it is looked for in the folders above the one that the test runs in.
func folder(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	if filepath.IsAbs(here) {
		return filepath.Join(filepath.Dir(here), "..", "testdata")
	}
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "format", "testdata")
		if _, err := os.Stat(filepath.Join(dir, "format", "formattest")); err == nil {
			return found
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatal("got no folder format/testdata above the test, want the vectors there")
	return ""
}
