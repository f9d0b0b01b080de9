package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

func TestMain(m *testing.M) {
	testscript.Main(strangers{m}, map[string]func(){"ulogkit": transcribed})
}

// strangers are tests that leave the home of whoever runs them alone: one that makes
// something of ulogkit's there fails them all.
type strangers struct{ m *testing.M }

// Run implements testscript.TestingM.
func (s strangers) Run() int {
	var ours []string
	if home, err := os.UserHomeDir(); err == nil {
		for _, name := range []string{".local/state/ulogkit", ".config/ulogkit", ".ulogger"} {
			if name = filepath.Join(home, name); !there(name) {
				ours = append(ours, name)
			}
		}
	}

	code := s.m.Run()
	for _, name := range ours {
		if there(name) {
			fmt.Fprintf(os.Stderr, "a test has made %s\n", name)
			code = 1
		}
	}
	return code
}

func there(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// race keeps each process of a program built with the race detector from
// sleeping a second before it ends.
const race = "atexit_sleep_ms=10"

// TestScript runs testdata/script/*.txtar, one a command of the program. They
// find what real agents wrote as vectors/*.bin, firmware that crashed in an
// emulator as crash/firmware.elf with its dumps crash/*.bin, other firmware as
// crash/other.elf, and have these commands of their own:
//
//	exits CODE PROGRAM ARG...   run and compare the exit code
//	flip FILE OFFSET            invert a byte, from the end if OFFSET < 0
//	clip FILE SIZE              cut or lengthen with zeros
//	holds DIR NAME...           DIR holds these names and no other
//	keep NAME                   set $NAME to the last standard output
//	cloud ARG...                start "ulogkit cloud --dir cloud", set $BROKER to
//	                            its address and $HOWTO to the command line it prints;
//	                            what it prints then goes to cloud.out and cloud.log
//	stopcloud                   interrupt it; it must end with exit code 0
//	received COUNT              that many files below cloud/received; $RECEIVED is the first
//	mkcert NAME [expired]       write NAME.pem, a certificate of nobody known, and NAME.key
//	await FILE TEXT             wait until the file, which a process writes, holds the text
//	dump FILE SIZE              write a good crash dump of that many bytes
//	fill DIR COUNT              store that many records in a sink of files
//	mute                        listen on $BROKER and never say a word
//	transcribed TEXT            a program has printed the text, whatever became of it
//
// The condition [terminal] holds where the program "script" can run another one in a
// pseudo-terminal.
//
// No program prints a secret, see leaks. vectors/secret.bin is a log with the text
// canaryPAYLOAD.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup:              writeVectors(t),
		Condition:          condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "flip": flip, "clip": clip, "holds": holds, "keep": keep,
			"cloud": cloud, "received": received, "mute": mute, "mkcert": mkcert, "fill": fill, "await": await, "dump": dump,
			"transcribed": isTranscribed,
		},
	})
}

func condition(name string) (bool, error) {
	if name != "terminal" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if _, err := exec.LookPath("script"); err != nil {
		return false, nil
	}
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return false, nil
	}
	return true, f.Close()
}

// writeVectors puts what real agents and crashed firmware wrote into the
// script's folder.
func writeVectors(t testing.TB) func(*testscript.Env) error {
	vectors := map[string][]byte{}
	for _, v := range formattest.Logs(t) {
		vectors[v.Name] = v.Buffer
	}
	for _, v := range formattest.Dumps(t) {
		vectors[v.Name] = v.Core
	}
	return func(env *testscript.Env) error { return setUp(env, vectors) }
}

func setUp(env *testscript.Env, vectors map[string][]byte) error {
	dir := filepath.Join(env.WorkDir, "vectors")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("GORACE", race)
	if err := transcribe(env); err != nil {
		return err
	}

	if err := writeCanary(filepath.Join(dir, "secret.bin")); err != nil {
		return err
	}
	for name, b := range vectors {
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".bin"), b, 0o644); err != nil {
			return err
		}
	}

	formats := filepath.Join("..", "..", "format")
	other, err := os.ReadFile(filepath.Join(formats, "dict", "testdata", "elf", "good", "sections.elf"))
	if err != nil {
		return err
	}
	crash := filepath.Join(env.WorkDir, "crash")
	if err := os.CopyFS(crash, os.DirFS(filepath.Join(formats, "crash", "testdata", "dumps"))); err != nil {
		return err
	}

	return os.WriteFile(filepath.Join(crash, "other.elf"), other, 0o644)
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		status := (*exec.ExitError)(nil)
		if !errors.As(err, &status) {
			ts.Fatalf("%v", err)
		}
		got = status.ExitCode()
	}
	if got != want {
		ts.Fatalf("got exit code %d, want %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	if offset < 0 {
		offset += len(b)
	}
	b[offset] ^= 0xff
	ts.Check(os.WriteFile(name, b, 0o644))
}

func clip(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

func holds(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s: got %q in it, want %q", args[0], got, want)
	}
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func cloud(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs("cloud")
	cmd := exec.Command("ulogkit", append([]string{"cloud", "--listen", "127.0.0.1:0", "--dir", dir}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "GORACE="+race, transcripts+"="+ts.Getenv(transcripts))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	const appending = os.O_APPEND | os.O_CREATE | os.O_WRONLY
	log, err := os.OpenFile(ts.MkAbs("cloud.log"), appending, 0o600)
	ts.Check(err)
	said, err := os.OpenFile(ts.MkAbs("cloud.out"), appending, 0o600)
	ts.Check(err)
	cmd.Stderr = log
	ts.Check(cmd.Start())

	ts.Defer(func() {
		cmd.Process.Kill() // a script that failed did not stop it
		cmd.Wait()
		log.Close()
		said.Close()
	})

	lines := bufio.NewScanner(out)
	howTo := ""
	for !strings.HasSuffix(howTo, " FILE\n") {
		if !lines.Scan() {
			ts.Fatalf("got no start of the cloud, want one:\n%s", ts.ReadFile("cloud.log"))
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			address, _, _ := strings.Cut(rest, ". ")
			ts.Setenv("BROKER", address)
		} else {
			howTo += lines.Text() + "\n"
		}
	}

	ts.Setenv("HOWTO", howTo)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			fmt.Fprintln(said, lines.Text())
		}
	}()

	ts.SetCmd("stopcloud", func(ts *testscript.TestScript, _ bool, _ []string) {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		<-drained
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("got end %v of the cloud, want exit code 0:\n%s", err, ts.ReadFile("cloud.log"))
		}
	})
}

func received(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var got []string
	err = filepath.WalkDir(ts.MkAbs("cloud/received"), func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		ts.Fatalf("%v", err)
	}
	if len(got) != want {
		ts.Fatalf("got %q in the cloud, want %d files", got, want)
	}
	if want > 0 {
		ts.Setenv("RECEIVED", got[0])
	}
}

func mkcert(ts *testscript.TestScript, _ bool, args []string) {
	end := time.Now().Add(time.Hour)
	if len(args) > 1 {
		end = time.Now().Add(-time.Minute)
	}
	certPEM, keyPEM := catest.New(ts).Issue(1, end)
	name := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(name+".pem", certPEM, 0o644))
	ts.Check(os.WriteFile(name+".key", keyPEM, 0o600))
}

func fill(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	sink, err := filesink.Open(filesink.Config{Dir: ts.MkAbs(args[0])})
	ts.Check(err)
	for i := range count {
		payload := []byte(strconv.Itoa(i))
		ts.Check(sink.Append(context.Background(), []ingest.Record{{Time: time.Now(), Topic: "logs/v0/42/7", Kind: ingest.KindTextLog, Payload: payload, Key: ingest.Key{byte(i), byte(i >> 8)}}}))
	}
	ts.Check(sink.Close())
}

func mute(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv("BROKER", listener.Addr().String())
}

func await(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(5 * time.Minute)
	for {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(b), args[1]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: got the text below, error %v; want %q in it\n%s", args[0], err, args[1], b)
		}
		time.Sleep(10 * time.Millisecond) // nobody tells
	}
}

func dump(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	var head format.CrashHeader
	head.SetMagic()
	crash := append(head[:], make([]byte, format.RegistersSize)...)
	memory := uint32(size - format.CoreDumpHeaderSize - len(crash) - 8)
	crash, err = (&format.MemoryRegion{Start: 0x2000_0000, End: 0x2000_0000 + memory, Data: make([]byte, memory)}).AppendTo(crash)
	ts.Check(err)
	d := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: crash}
	d.Header.SetLenTotal(uint32(size))
	d.Header.SetVersion(1)
	d.Header.SetApplicationID(7)
	ts.Check(d.Header.SetDeviceSerial("SN-1"))
	ts.Check(d.Header.SetDeviceType("lamp"))
	d.Seal()
	b, err := d.AppendTo(nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}
