package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
)

// Versions of the log header that both sides know.
var versions = []uint8{1, 3, 4}

// mutate damages a log as transport and memory do: bits, bytes, lengths, cuts and
// bytes behind it. It keeps the version byte, on which the two differ knowingly.
func mutate(r *rand.Rand, log []byte) []byte {
	b := bytes.Clone(log)
	for range 1 + r.IntN(3) {
		if len(b) < 2 {
			break
		}
		at := 1 + r.IntN(len(b)-1)
		if r.IntN(2) == 0 {
			at = 1 + r.IntN(min(len(b), 26)-1) // the header, where it tells most
		}
		switch r.IntN(6) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b[at] = byte(r.UintN(256))
		case 2:
			b = b[:at]
		case 3:
			for range 1 + r.IntN(9) {
				b = append(b, byte(r.UintN(256)))
			}
		case 4: // what the check does not see
			other := 1 + r.IntN(len(b)-1)
			b[at], b[other] = b[other], b[at]
		case 5: // an empty log
			clear(b[1:])
		}
	}

	return b
}

// libraryTakes asks the library for its verdict on each log.
func libraryTakes(t *testing.T, l *library, logs [][]byte) (verdicts []bool) {
	t.Helper()
	for len(logs) > 0 {
		n := min(len(logs), 500)
		r := request{Call: "validate_checksum"}
		for _, b := range logs[:n] {
			r.Each = append(r.Each, []any{octets(b)})
		}
		var results [][2]json.RawMessage
		l.call(t, r, &results)
		for _, result := range results {
			verdicts = append(verdicts, string(result[0]) == "true")
		}
		logs = logs[n:]
	}
	return verdicts
}

// Whatever the checksum says, it says the same on both sides; and what ours would
// send, the library would.
func testChecksums(t *testing.T, l *library) {
	sound := formattest.LogBytes(t)
	logs := append([][]byte{nil, {1}, {3}, {4}}, sound...)
	random := rand.New(rand.NewPCG(1, 2))
	for len(logs) < 20_000 {
		log := sound[random.IntN(len(sound))]
		if len(log) > 1000 && random.IntN(20) > 0 {
			continue // the long ones are few, and slow in Python
		}
		logs = append(logs, mutate(random, log))
	}

	accepted := 0
	for i, theirs := range libraryTakes(t, l, logs) {
		v, _, err := format.ParseLog(logs[i])
		ours := err == nil && v.Verify() == nil
		if ours != theirs {
			t.Fatalf("%x: got %v (%v), want %v as the library", logs[i], ours, err, theirs)
		}
		if format.CheckLog(logs[i]) == nil && !theirs {
			t.Fatalf("%x: CheckLog: got no error, want one as the library refuses it", logs[i])
		}
		if ours {
			accepted++
		}
	}

	if accepted < 1000 || accepted > 19_000 {
		t.Errorf("got %d of 20,000 logs sound, want 1,000 to 19,000, else the mutations tell nothing", accepted)
	}
}

// A token is written alike, also when it is cut to 32 bits.
func testTokens(t *testing.T, l *library) {
	r := request{Call: "patch_session_token"}
	logs := formattest.LogBytes(t)
	tokens := []int64{0, 1, 0x12345678, math.MaxUint32, -1, 1<<32 + 7}
	for _, log := range logs {
		for _, token := range tokens {
			r.Each = append(r.Each, []any{octets(log), token})
		}
	}

	var results [][2][]json.RawMessage // the result, and the arguments after the call
	l.call(t, r, &results)
	for i, result := range results {
		var theirs octets
		if err := json.Unmarshal(result[1][0], &theirs); err != nil {
			t.Fatal(err)
		}
		ours := bytes.Clone(logs[i/len(tokens)])
		v, _, err := format.ParseLog(ours)
		if err != nil {
			t.Fatal(err)
		}
		v.SetSessionToken(uint32(tokens[i%len(tokens)]))
		if !bytes.Equal(ours, theirs) {
			t.Fatalf("token %d: got %x, want %x as the library", tokens[i%len(tokens)], ours[:min(25, len(ours))], theirs[:min(25, len(theirs))])
		}
	}
}

// A time is written alike into headers that have one, and into no others.
func testEpochs(t *testing.T, l *library) {
	r := request{Call: "patch_epoch_time_us"}
	logs := formattest.LogBytes(t)
	times := []uint64{0, 1, 1732829000000000, math.MaxInt64, math.MaxUint64}
	for _, log := range logs {
		for _, us := range times {
			r.Each = append(r.Each, []any{octets(log), us})
		}
	}

	r.Refusals = true
	var results [][2]json.RawMessage // the result, and the arguments after the call; null when it refuses
	l.call(t, r, &results)
	written := 0
	for i, result := range results {
		ours := bytes.Clone(logs[i/len(times)])
		v, _, err := format.ParseLog(ours)
		if err != nil {
			t.Fatal(err)
		}
		done := v.SetEpoch(times[i%len(times)])
		refused := string(result[1]) == "null"
		if done == refused {
			t.Fatalf("version %d: got a time written: %v, want %v as the library", v.Version(), done, !refused)
		}

		if refused {
			continue
		}
		var theirs []json.RawMessage
		var log octets
		if err := json.Unmarshal(result[1], &theirs); err != nil || json.Unmarshal(theirs[0], &log) != nil {
			t.Fatalf("%s: got %v, want arguments, the first of them a log", result[1], err)
		}

		if !bytes.Equal(ours, log) {
			t.Fatalf("time %d: got %x, want %x as the library", times[i%len(times)], ours[:25], log[:25])
		}
		written++
	}

	if written == 0 || written == len(results) {
		t.Errorf("got %d of %d logs with a time, want some and not all", written, len(results))
	}
}

// What "ulogkit sample" writes is a log for the library too.
func testSamples(t *testing.T, l *library) {
	dir := t.TempDir()
	program := filepath.Join(dir, "ulogkit")
	if out, err := exec.Command("go", "build", "-o", program, "../../../cmd/ulogkit").CombinedOutput(); err != nil {
		t.Fatalf("build: got %v, want a program\n%s", err, out)
	}
	var logs [][]byte
	for _, version := range versions {
		for _, frames := range []int{0, 1, 500} {
			name := filepath.Join(dir, fmt.Sprintf("%d-%d.bin", version, frames))
			out, err := exec.Command(program, "sample", "--version", strconv.Itoa(int(version)), "--frames", strconv.Itoa(frames), "-o", name).CombinedOutput()
			if err != nil {
				t.Fatalf("sample: got %v, want a log\n%s", err, out)
			}
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			logs = append(logs, b)
		}
	}

	for i, taken := range libraryTakes(t, l, logs) {
		if !taken {
			t.Errorf("version %d, %d bytes: got a sample refused by the library, want it taken", logs[i][0], len(logs[i]))
		}
	}
}
