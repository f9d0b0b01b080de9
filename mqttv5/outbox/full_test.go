package outbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
)

// The fault list, F45: the disk is full while records are picked up.

func TestF45FullDiskWhilePickingUp(t *testing.T) {
	pickUpOnFullDisk(t, t.TempDir(), 2<<20, func() error { return nil })
}

// pickUpOnFullDisk runs childFullPickUp on a disk, makes room on it when that says so,
// and checks what there is at the end.
func pickUpOnFullDisk(t *testing.T, dir string, limit uint64, makeRoom func() error) {
	t.Helper()
	c := childtest.Start(t, "full-pick-up", dir, strconv.FormatUint(limit, 10))
	var accepted []string
	for line, ok := c.Line(); ok; line, ok = c.Line() {
		if n, full := strings.CutPrefix(line, "full after "); full {
			t.Logf("%s of %d records fitted", n, len(accepted))
			if n == "0" && limit > 1<<30 {
				t.Error("got none of the records picked up, want those that fit")
			}
			if err := makeRoom(); err != nil {
				t.Fatal(err)
			}
			c.Stdin.Close()
			continue
		}
		accepted = append(accepted, line)
	}

	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	o := openOutbox(t, dir)
	defer o.Close()
	if s := o.Stats(); s.Waiting != len(accepted) || s.Damaged != 0 || len(accepted) == 0 {
		t.Errorf("got stats %+v, want %d waiting (some) and none damaged", s, len(accepted))
	}

	for i := range accepted { // each once, in order
		l := lease(t, o)
		if got := fmt.Sprintf("%x", sha256.Sum256(l.Record.Payload)); got != accepted[i] {
			t.Fatalf("record %d: got one of hash %s, want the accepted one of hash %s", i, got, accepted[i])
		}
		l.Done()
	}
}

// childFullPickUp lets other programs submit to an outbox whose file cannot grow, or
// whose disk is small, and then can. It prints a hash of each record that was accepted.
func childFullPickUp(args []string) error {
	var log bytes.Buffer
	o, err := Open(Config{Dir: args[0], Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		return err
	}
	close(o.intake.quit) // the test looks when it is time
	<-o.intake.done
	limit, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	if err := childtest.LimitFileSize(limit); err != nil {
		return err
	}

	s, err := OpenSubmitter(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	for n := range 60 {
		b, err := devicetest.BuildLog(uint64(n), 60_000-900*n)
		if err != nil {
			return err
		}
		if _, err := s.SubmitLog(context.Background(), devicetest.Info(1), b); err != nil {
			return fmt.Errorf("submit beside a full outbox: %w", err)
		}
		fmt.Printf("%x\n", sha256.Sum256(b))
	}
	for range 3 {
		o.intake.look()
	}
	if n := strings.Count(log.String(), "cannot be picked up"); n != 1 {
		return fmt.Errorf("said %d times that it cannot pick up, want once:\n%s", n, &log)
	}
	files, err := intakeFiles(args[0])
	if waiting := o.Stats().Waiting; err != nil || len(files)+waiting != 60 || len(files) == 0 {
		return fmt.Errorf("%d files and %d records, error %v; want 60 together", len(files), waiting, err)
	}
	fmt.Println("full after", o.Stats().Waiting)
	io.Copy(io.Discard, os.Stdin) // until there is room

	if err := childtest.LimitFileSize(math.MaxInt64); err != nil {
		return err
	}
	o.intake.look()
	if files, err := intakeFiles(args[0]); err != nil || len(files) > 0 {
		return fmt.Errorf("with room again %d files are left, error %v", len(files), err)
	}
	o.intake = startIntake(o)
	return o.Close()
}
