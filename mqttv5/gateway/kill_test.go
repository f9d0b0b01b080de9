//go:build unix

package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/spool"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"gateway": childGateway, "submit": childSubmit})
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come; a wait ends when it is there.
const patience = 2 * time.Minute

// childGateway runs a gateway on an outbox and a spool until it is killed, or until
// standard input ends and nothing waits in the outbox.
func childGateway(args []string) error {
	o, err := outbox.Open(outbox.Config{Dir: args[0]})
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}

	var gw *Gateway
	client, err := mqttv5.New(mqttv5.Config{
		Broker: "127.0.0.1", Port: port, CustomerID: "7", InsecurePlaintext: true,
		Tuning: mqttv5.Tuning{MinBackoff: 20 * time.Millisecond, PublishesPerSecond: -1, BytesPerSecond: -1, ClientID: "gateway-" + args[3]},
		Hooks:  mqttv5.Hooks{Event: func(e mqttv5.Event) { gw.Event(e) }},
	})
	if err != nil {
		return err
	}

	s, err := spool.New(spool.Config{Dir: args[1], Device: devicetest.Info(9), Poll: 5 * time.Millisecond}, o)
	if err != nil {
		return err
	}
	if gw, err = New(Config{Client: client, Outbox: o, Spool: s}); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		os.Stdin.Read(make([]byte, 1)) // ends when the parent says so
		empty, stop := context.WithTimeout(ctx, patience)
		defer stop()
		o.WaitEmpty(empty) // the parent looks what is left
	}()

	return errors.Join(gw.Run(ctx), client.Close(), o.Close())
}

// childSubmit submits logs to an outbox that another process may be delivering, until
// it is killed. It prints "tries HASH ." before and "accepted HASH ." after each.
func childSubmit(args []string) error {
	seed, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	s, err := outbox.OpenSubmitter(outbox.Config{Dir: args[0]})
	if err != nil {
		return err
	}
	for n := uint64(1); ; n++ {
		b, err := devicetest.BuildLog(seed*1_000_000+n, 300)
		if err != nil {
			return err
		}
		fmt.Printf("tries %x .\n", hashOf(b))
		if _, err := s.SubmitLog(context.Background(), devicetest.Info(int(seed%5)), b); err != nil {
			return err
		}
		fmt.Printf("accepted %x .\n", hashOf(b))
	}
}

// hashOf is of a log without its session token.
func hashOf(b []byte) [sha256.Size]byte {
	b = append([]byte(nil), b...)
	if len(b) >= 5 {
		binary.LittleEndian.PutUint32(b[1:], 0)
	}
	return sha256.Sum256(b)
}

// ledger is what is known of every log: FAULTS.md's conservation.
type ledger struct {
	mu                         sync.Mutex
	tried, accepted, delivered map[string]bool
}

func (l *ledger) note(line string) {
	f := strings.Fields(line)
	if len(f) != 3 || f[2] != "." {
		return // cut off by a kill
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch f[0] {
	case "tries":
		l.tried[f[1]] = true
	case "accepted":
		l.accepted[f[1]] = true
	}
}

// F41, F42, F46: three programs submit to an outbox that a gateway delivers, a fourth
// puts files into its spool, and all are killed at any moment, again and again: what
// was accepted arrives, nothing else does, and nothing is left over. Every other cycle
// begins the kills when something was accepted, the others at once: on a slow machine
// that is before the programs have begun.
func TestKillsLoseNothing(t *testing.T) {
	cycles := 20
	if os.Getenv("CI") != "" {
		cycles = 300
	}
	if n, err := strconv.Atoi(os.Getenv("ULOGKIT_KILL_CYCLES")); err == nil {
		cycles = n
	}
	book := &ledger{tried: map[string]bool{}, accepted: map[string]bool{}, delivered: map[string]bool{}}
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{
		Plaintext: true, KeepBytes: 1,
		OnReceive: func(r localcloud.Received) {
			if r.Err != nil {
				t.Errorf("got a bad message in the cloud, want none: %v", r.Err)
			}
			book.mu.Lock()
			defer book.mu.Unlock()
			book.delivered[fmt.Sprintf("%x", hashOf(r.Payload))] = true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	dir, files := filepath.Join(t.TempDir(), "outbox"), t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))

	for cycle := range cycles {
		var children []*childtest.Child
		var readers sync.WaitGroup
		accepted := make(chan struct{}, 1)
		begin := func(mode string, args ...string) {
			c := childtest.Start(t, mode, args...)
			children = append(children, c)
			readers.Go(func() {
				for line, ok := c.Line(); ok; line, ok = c.Line() {
					book.note(line)
					if strings.HasPrefix(line, "accepted ") {
						select {
						case accepted <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		begin("gateway", dir, files, strconv.Itoa(cloud.Port()), strconv.Itoa(cycle))
		for i := range 3 {
			begin("submit", dir, strconv.Itoa(cycle*3+i))
		}
		for i := range rnd.IntN(4) {
			putIntoSpool(t, book, files, uint64(cycle*10+i))
		}
		if cycle%2 == 0 {
			select {
			case <-accepted:
			case <-time.After(patience):
				t.Errorf("got nothing accepted in %v, want something", patience)
			}
		}
		time.Sleep(time.Duration(rnd.IntN(120)) * time.Millisecond) // the moment of the kill
		for _, i := range rnd.Perm(len(children)) {
			children[i].Process.Signal(syscall.SIGKILL)
		}
		readers.Wait() // first: Wait closes the pipe, and what is in it were lost
		for _, c := range children {
			c.Wait()
		}
	}

	// Left alone, the last gateway delivers what is there, also what nobody was told of.
	last := childtest.Start(t, "gateway", dir, files, strconv.Itoa(cloud.Port()), "last")
	missing := func() (n int) {
		book.mu.Lock()
		defer book.mu.Unlock()
		for h := range book.accepted {
			if !book.delivered[h] {
				n++
			}
		}
		return n
	}
	on := func(folder string) int { // how many files wait there
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Error(err)
		}
		return len(entries)
	}
	submitted := filepath.Join(dir, "in")
	for deadline := time.Now().Add(patience); missing()+on(files)+on(submitted) > 0 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // polls another process
	}
	last.Stdin.Close()
	if err := last.Wait(); err != nil {
		t.Errorf("got error %v of the gateway, want none", err)
	}
	if n := missing(); n > 0 || len(book.accepted) < cycles {
		t.Fatalf("got %d of %d accepted logs missing, want none, and at least %d accepted", n, len(book.accepted), cycles)
	}
	for h := range book.delivered {
		if !book.tried[h] {
			t.Fatalf("got log %s, want only what was submitted", h)
		}
	}
	o, err := outbox.Open(outbox.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if s := o.Stats(); s.Waiting+s.Parked+s.Damaged > 0 {
		t.Errorf("got %+v in the outbox, want nothing left", s)
	}
	if left, err := os.ReadDir(files); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v in the spool, want nothing left", left, err)
	}
	t.Logf("%d cycles, %d logs accepted", cycles, len(book.accepted))
}

// putIntoSpool puts a log into the spool, as a program does that knows how.
func putIntoSpool(t *testing.T, book *ledger, dir string, n uint64) {
	t.Helper()
	b, err := devicetest.BuildLog(9_000_000_000+n, 200)
	if err != nil {
		t.Fatal(err)
	}
	temp, name := filepath.Join(dir, fmt.Sprint(".", n)), filepath.Join(dir, fmt.Sprint(n))
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%x .", hashOf(b))
	book.note("tries " + line)
	if err := os.Rename(temp, name); err != nil {
		t.Fatal(err)
	}
	book.note("accepted " + line)
}
