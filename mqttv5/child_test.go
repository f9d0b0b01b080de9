package mqttv5

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// The test binary runs itself as a child that is killed, starved of disk, or kept
// out.
const childMode = "ULOGKIT_TEST_CHILD"

type child struct {
	cmd   *exec.Cmd
	out   *bufio.Scanner
	stdin io.WriteCloser
}

func startChild(t testing.TB, mode string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childMode+"="+mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return &child{cmd, bufio.NewScanner(out), in}
}

// line returns the next line that the child printed.
func (c *child) line() (string, bool) {
	if !c.out.Scan() {
		return "", false
	}
	return c.out.Text(), true
}

func runChild(mode string, args []string) int {
	modes := map[string]func([]string) error{
		"work": childWork, "fill": childFill, "hold": childHold, "tokens": childTokens, "drain": childDrain,
	}
	if err := modes[mode](args); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func childClient(port string, tuning Tuning) (*Client, error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	tuning.MinBackoff = 20 * time.Millisecond
	return New(Config{Broker: "127.0.0.1", Port: n, CustomerID: "7", InsecurePlaintext: true, Tuning: tuning})
}

// childWork submits and delivers until it is killed, and prints each record that
// was accepted, with the hash of its bytes, once Submit has returned.
func childWork(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	c, err := childClient(args[1], Tuning{PublishesPerSecond: -1, BytesPerSecond: -1})
	if err != nil {
		return err
	}
	go c.Deliver(context.Background(), o)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var n atomic.Uint64
	var wg sync.WaitGroup
	for d := range 4 {
		wg.Go(func() {
			for {
				b, err := buildLog(seed*1_000_000+n.Add(1), 300)
				if err != nil {
					panic(err)
				}
				var id string
				sum := sha256.Sum256(withoutTokenOf(b))
				if d%2 == 0 {
					id, err = o.SubmitLog(context.Background(), testDevice(d), b)
				} else {
					var ids []string
					ids, err = o.SubmitText(context.Background(), testDevice(d), []TextEntry{{int64(n.Load()), format.LevelInfo, strings.Repeat("x", 200)}})
					if err == nil {
						id = ids[0]
						p, e := o.Payload(id)
						if e != nil {
							continue // delivered already; the hash is not known
						}
						sum = sha256.Sum256(p)
					}
				}
				if err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Printf("%s %x\n", id, sum)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return nil
}

// childFill submits until the disk is full, makes room, and submits again.
func childFill(args []string) error {
	signal.Ignore(syscall.SIGXFSZ) // as a full disk: an error and no signal
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	submit := func() (string, error) {
		ids, err := o.SubmitText(context.Background(), testDevice(1), []TextEntry{{1, format.LevelInfo, strings.Repeat("x", 4000)}})
		if err != nil {
			return "", err
		}
		return ids[0], nil
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 256 << 10, Max: old.Max}); err != nil {
		return err
	}
	full := false
	for range 500 {
		id, err := submit()
		if err != nil {
			if !errors.Is(err, ErrOutboxFull) || !strings.Contains(err.Error(), syscall.EFBIG.Error()) {
				return fmt.Errorf("full disk gave: %w", err)
			}
			if _, again := submit(); !errors.Is(again, ErrOutboxFull) {
				return fmt.Errorf("full disk then gave: %w", again)
			}
			full = true
			break
		}
		fmt.Println(id)
	}
	if !full {
		return errors.New("the disk was never full")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	for range 10 {
		id, err := submit()
		if err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		fmt.Println(id)
	}
	return o.Close()
}

// childHold opens an outbox until its standard input ends.
func childHold(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	return o.Close()
}

// childTokens writes tokens into a file that others write as well.
func childTokens(args []string) error {
	s, err := OpenFileStore(FileStoreConfig{Path: args[0]})
	if err != nil {
		return err
	}
	who, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range 10 {
		key := SessionKey{Broker: "b", CustomerID: "1", ApplicationID: uint32(who), DeviceSerial: fmt.Sprint(i), GitHash: "g"}
		if err := s.SetToken(context.Background(), key, uint32(who*1000+i+1)); err != nil {
			return err
		}
	}
	return nil
}

// childDrain delivers until SIGTERM and ends in order.
func childDrain(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	c, err := childClient(args[1], Tuning{PublishesPerSecond: 100})
	if err != nil {
		return err
	}
	if err := c.Deliver(ctx, o); err != nil {
		return err
	}
	c.Close()
	return o.Close()
}
