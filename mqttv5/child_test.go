package mqttv5

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
)

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
				b, err := devicetest.BuildLog(seed*1_000_000+n.Add(1), 300)
				if err != nil {
					panic(err)
				}
				var id string
				sum := sha256.Sum256(withoutTokenOf(b))
				if d%2 == 0 {
					id, err = o.SubmitLog(context.Background(), testDevice(d), b)
				} else {
					var ids []string
					ids, err = o.SubmitText(context.Background(), testDevice(d), []TextEntry{{Time: int64(n.Load()), Level: format.LevelInfo, Text: strings.Repeat("x", 200)}})
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

// childFull fills the disk, delivers what waits while a gateway goes on submitting,
// and closes while the disk is still full. It prints "accepted ID" for each record
// that was accepted, and "waiting N" in the end.
func childFull(args []string) error {
	o, err := OpenOutbox(OutboxConfig{Dir: args[0]})
	if err != nil {
		return err
	}
	if err := childtest.LimitFileSize(1 << 20); err != nil {
		return err
	}

	// One device each: they are delivered side by side, and acknowledged so.
	submit := func(device int) error {
		ids, err := o.SubmitText(context.Background(), testDevice(device), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", 4000)}})
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
