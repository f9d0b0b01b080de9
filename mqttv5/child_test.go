package mqttv5

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
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
		"work": childWork, "fill": childFill, "full": childFull, "drop": childDrop, "hold": childHold, "tokens": childTokens, "drain": childDrain,
	}
	if err := modes[mode](args); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func childClient(port, customer string, tuning Tuning, event func(Event)) (*Client, error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	tuning.MinBackoff = 20 * time.Millisecond
	return New(Config{
		Broker: "127.0.0.1", Port: n, CustomerID: customer, InsecurePlaintext: true,
		Tuning: tuning, Hooks: Hooks{Event: event},
	})
}

// childWork submits and delivers until it is killed. It prints "accepted SERIAL ID
// HASH ." once Submit has returned, and "acknowledged SERIAL ID ." of each record
// before it is removed. The dot says that the line is whole.
func childWork(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format, args...)
	}
	c, err := childClient(args[1], "cycle"+args[2], Tuning{PublishesPerSecond: -1, BytesPerSecond: -1}, func(e Event) {
		if e.Kind == EventDelivered {
			say("acknowledged %s %s .\n", e.Serial, e.ID)
		}
	})
	if err != nil {
		return err
	}
	go c.Deliver(context.Background(), o)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
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
				say("accepted %s %s %x .\n", testDevice(d).DeviceSerial, id, sum)
			}
		})
	}
	wg.Wait()
	return nil
}

// limitFileSize lets no file grow beyond n bytes: for the outbox as a full disk.
func limitFileSize(n uint64) error {
	signal.Ignore(syscall.SIGXFSZ) // an error and no signal
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		return err
	}
	l.Cur = min(n, l.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l)
}

// childFill submits until the disk is full, makes room, and submits again.
func childFill(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	submit := func() (string, error) {
		ids, err := o.SubmitText(context.Background(), testDevice(1), []TextEntry{{1, format.LevelInfo, strings.Repeat("x", 4000)}})
		if err != nil {
			return "", err
		}
		return ids[0], nil
	}
	if err := limitFileSize(1 << 20); err != nil {
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
	if err := limitFileSize(math.MaxInt64); err != nil {
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

// childFull fills the disk, delivers what waits while a gateway goes on submitting,
// and closes while the disk is still full. It prints "accepted ID" for each record
// that was accepted, and "waiting N" in the end.
func childFull(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	if err := limitFileSize(1 << 20); err != nil {
		return err
	}
	// One device each: they are delivered side by side, and acknowledged so.
	submit := func(device int) error {
		ids, err := o.SubmitText(context.Background(), testDevice(device), []TextEntry{{1, format.LevelInfo, strings.Repeat("x", 4000)}})
		if err == nil {
			fmt.Println("accepted", ids[0])
		}
		return err
	}
	for n := 0; err == nil; n++ {
		err = submit(n)
	}
	if !errors.Is(err, ErrOutboxFull) {
		return fmt.Errorf("full disk gave: %w", err)
	}
	waiting := o.Stats().Waiting
	c, err := childClient(args[1], "7", Tuning{PublishesPerSecond: -1, BytesPerSecond: -1}, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var gateway sync.WaitGroup
	for d := range 4 {
		gateway.Go(func() {
			for ctx.Err() == nil {
				if err := submit(1000 + d); err != nil && !errors.Is(err, ErrOutboxFull) {
					fmt.Fprintln(os.Stderr, "child:", err)
				}
			}
		})
	}
	delivered := make(chan error, 1)
	go func() { delivered <- c.Deliver(ctx, o) }()
	for o.Stats().Delivered < uint64(waiting)/2 {
		runtime.Gosched()
	}
	cancel()
	gateway.Wait()
	if err := <-delivered; err != nil {
		return err
	}
	c.Close()
	fmt.Println("waiting", o.Stats().Waiting)
	return o.Close()
}

// childDrop fills the disk with records of a size, drops them, scattered, and fills
// it again.
func childDrop(args []string) error {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	if err := limitFileSize(3 << 20); err != nil {
		return err
	}
	fill := func() (ids []string, err error) {
		for {
			id, err := o.SubmitText(context.Background(), testDevice(1), []TextEntry{{1, format.LevelInfo, strings.Repeat("x", size)}})
			if errors.Is(err, ErrOutboxFull) {
				return ids, nil
			}
			if err != nil {
				return nil, err
			}
			ids = append(ids, id...)
		}
	}
	ids, err := fill()
	if err != nil {
		return err
	}
	const step = 7
	for first := range step {
		for i := first; i < len(ids); i += step {
			if err := o.Drop(ids[i]); err != nil {
				return fmt.Errorf("drop record %d of %d: %w", i, len(ids), err)
			}
		}
	}
	again, err := fill()
	if err != nil || len(again) < len(ids)/2 {
		return fmt.Errorf("%d of %d records fit again: %v", len(again), len(ids), err)
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
	c, err := childClient(args[1], "7", Tuning{PublishesPerSecond: 100}, nil)
	if err != nil {
		return err
	}
	if err := c.Deliver(ctx, o); err != nil {
		return err
	}
	c.Close()
	return o.Close()
}
