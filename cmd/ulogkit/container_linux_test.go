package main

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The image of the Containerfile, as far as it can be had without one who makes
// images: its build command makes a program that needs nothing else, which runs alone
// in an empty root, as the user without rights, with the arguments of the entry point.
func TestContainerRunsAloneWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may change the root of a program")
	}
	b, err := os.ReadFile(filepath.Join(gatewayDir, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	file := string(b)
	build := regexp.MustCompile(`(?m)^RUN CGO_ENABLED=0 (go build .*) -o /ulogkit (\./cmd/ulogkit)`).FindStringSubmatch(file)
	entry := regexp.MustCompile(`(?m)^ENTRYPOINT (\[.*\])$`).FindStringSubmatch(file)
	if build == nil || entry == nil || !strings.Contains(file, "COPY --from=build --chown=65532:65532 /state /state") || !strings.Contains(file, "USER 65532:65532") {
		t.Fatalf("got another Containerfile than this test knows, want a build, an entry point, /state and the user 65532:65532 in it:\n%s", file)
	}
	var args []string
	if err := json.Unmarshal([]byte(entry[1]), &args); err != nil {
		t.Fatal(err)
	}

	// The image: the program, and the folder that its volume begins with.
	image := t.TempDir()
	cmd := exec.Command("go", append(strings.Fields(build[1])[1:], "-o", filepath.Join(image, "ulogkit"), build[2])...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("got error %v of the build, want none:\n%s", err, out)
	}
	program, err := elf.Open(filepath.Join(image, "ulogkit"))
	if err != nil {
		t.Fatal(err)
	}
	libraries, err := program.ImportedLibraries()
	if err != nil || len(libraries) > 0 || program.Section(".interp") != nil {
		t.Errorf("got a program with the libraries %q and an interpreter: %v, error %v; want neither", libraries, program.Section(".interp") != nil, err)
	}
	program.Close()
	for _, dir := range []string{"state", "state/spool"} {
		if err := errors.Join(os.Mkdir(filepath.Join(image, dir), 0o755), os.Chown(filepath.Join(image, dir), 65532, 65532)); err != nil {
			t.Fatal(err)
		}
	}
	for dir := image; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}

	// The address of the entry point is that of the machine; here it is loopback.
	i := slices.Index(args, "0.0.0.0:9101")
	if i < 0 {
		t.Fatalf("got the entry point %q, want it to listen on 0.0.0.0:9101", args)
	}
	args[i] = "127.0.0.1:0"
	said := newWatched()
	gw := exec.CommandContext(t.Context(), "/ulogkit", args[1:]...)
	gw.Path, gw.Dir, gw.Stderr = args[0], "/", said
	gw.Env = []string{"ULOGKIT_BROKER=127.0.0.1:1", "ULOGKIT_CUSTOMER=42", "ULOGKIT_INSECURE_PLAINTEXT=true", "ULOGKIT_APPLICATION=7", "ULOGKIT_SERIAL=SN-1", "ULOGKIT_GIT_HASH=3f2c9a1"}
	gw.SysProcAttr = &syscall.SysProcAttr{Chroot: image, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	if err := gw.Start(); err != nil {
		t.Fatal(err)
	}
	said.await(t, "metrics and health at")
	health := regexp.MustCompile(`http://[0-9.:]+`).FindString(said.String())
	drop := filepath.Join(image, "state", "spool", "log")
	if err := os.WriteFile(drop+".tmp", soakLog(t, 1, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(drop+".tmp", drop); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) { // polls another process
		if _, err := os.Stat(drop); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got the file still in the spool after two minutes, want it taken:\n%s", said)
		}
	}
	res, err := http.Get(health + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable { // a record waits, and there is no broker
		t.Errorf("got health %s, want %d while a record waits", res.Status, http.StatusServiceUnavailable)
	}
	if err := gw.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := gw.Wait(); err != nil {
		t.Errorf("got end %v of the gateway, want none but success:\n%s", err, said)
	}
	if _, err := os.Stat(filepath.Join(image, "state", "outbox", "outbox.db")); err != nil {
		t.Error(err)
	}
}
