package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// childFill submits until the disk is full, makes room, and submits again.
func childFill(args []string) error {
	o, err := Open(Config{Dir: args[0]})
	if err != nil {
		return err
	}

	submit := func() (string, error) {
		ids, err := o.SubmitText(context.Background(), devicetest.Info(1), []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", 4000)}})
		if err != nil {
			return "", err
		}
		return ids[0], nil
	}

	if err := childtest.LimitFileSize(1 << 20); err != nil {
		return err
	}
	full := false
	for range 500 {
		id, err := submit()
		if err != nil {
			if !errors.Is(err, fault.ErrOutboxFull) || !strings.Contains(err.Error(), syscall.EFBIG.Error()) {
				return fmt.Errorf("full disk gave: %w", err)
			}
			if _, again := submit(); !errors.Is(again, fault.ErrOutboxFull) {
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
	if err := childtest.LimitFileSize(math.MaxInt64); err != nil {
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

// childDrop fills the disk with records of a size, drops them, scattered, and fills
// it again.
func childDrop(args []string) error {
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	o, err := Open(Config{Dir: args[0]})
	if err != nil {
		return err
	}

	if err := childtest.LimitFileSize(3 << 20); err != nil {
		return err
	}
	fill := func() (ids []string, err error) {
		for {
			id, err := o.SubmitText(context.Background(), devicetest.Info(1), []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", size)}})
			if errors.Is(err, fault.ErrOutboxFull) {
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
	o, err := Open(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	return o.Close()
}

// childCompact opens and closes an outbox, which makes it smaller.
func childCompact(args []string) error {
	o, err := Open(Config{Dir: args[0], Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	return o.Close()
}
