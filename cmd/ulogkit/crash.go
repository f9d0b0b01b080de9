package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format/crash"
)

func newCrash() *cobra.Command {
	var elf []string
	var asJSON bool
	var screen crashScreen
	cmd := &cobra.Command{
		Use:   "crash [--elf FW...] [--json] [--all] [--regs] FILE",
		Short: "Say why a device crashed, and where",
		Long: `crash says on one screen what a crash dump tells: what happened, on which device
and in which build, and which functions were running, the innermost first.

FILE is a dump as agents write it, what CrashCatcher itself writes, or the
hexadecimal digits of either as a serial console shows them. Of a dump that was
cut or is damaged, what can be read is shown, with what is missing; the exit
code is then 1.

FW is the ELF file of the firmware that the device runs, or a folder of such
files; give --elf several times, and the one that fits best is used. Debug
information may be compressed, split (.dwo, .dwp) or in a file beside FW
(.gnu_debuglink, build id). Without FW there are no names, and of the callers
the last return address alone.

How far FW is the right build is said as one of: proven (the commit, the build
id, or code in the dump is that of FW), fits, doubtful and wrong. A doubtful or
wrong one makes the exit code 1; a wrong one is not used.

A task is told by the name that FreeRTOS, Zephyr or ThreadX has for it, if its
struct is in the dump and FW has debug information; otherwise by the function that
it began with.

Frames are certain unless they are marked with "?": those were found by looking
through the stack, where calls that had returned leave their addresses too. All
of them are shown with --all, and registers and memory with --regs.

With --json there is one JSON object: the keys of "ulogkit inspect", "fault",
"match" with "match_reasons", "summary", "running", "task", "truncated", "lost", "notes" and
"backtrace". A frame's "confidence" is "unwound" or "scanned"; "how" is where it
was found: "pc", "lr", "cfi", "exidx", "code", "exception", "tail" or "stack".`,
		Example: "  ulogkit crash --elf firmware.elf core.bin\n  ulogkit crash --elf builds/ --all --regs core.bin\n  ulogkit crash --json core.bin | jq -r '.fault.reasons[]'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var read atomic.Int64
			stop := meterOfBuilds(elf, args[0]).Watch(func() (bytes, records int64) { return read.Load(), 0 })
			defer stop()
			builds, err := crash.LoadEach(elf, func(path string) { read.Add(sizeOf(os.Stat(path))) })
			if err != nil {
				return err
			}
			name := args[0]
			b, err := files.Read(name, cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			row, err := inspect.Explain(name, b, builds)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			stop()
			out := bufio.NewWriter(cmd.OutOrStdout())
			switch {
			case row == nil:
			case asJSON:
				printJSON(out, row)
			default:
				screen.width = columns(cmd.OutOrStdout())
				screen.print(out, row)
			}
			return errors.Join(out.Flush(), err, badMatch(name, row))
		},
	}
	cmd.Flags().StringArrayVar(&elf, "elf", nil, "ELF file `FW` of the firmware, or a folder of them; may be given several times")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.Flags().BoolVar(&screen.all, "all", false, "show uncertain frames, every frame of a recursion and all reasons")
	cmd.Flags().BoolVar(&screen.regs, "regs", false, "show registers and memory")
	return cmd
}

// badMatch is the error of a dump that the firmware is not of, or may not be of.
func badMatch(name string, row *inspect.Crash) error {
	if row == nil || len(row.MatchReasons) == 0 {
		return nil
	}
	switch row.Match {
	case crash.Wrong:
		return fmt.Errorf("%s: it cannot be of %s, which was not used: give the firmware that the device runs", name, row.ELF)
	case crash.Doubtful:
		return fmt.Errorf("%s: it may not be of %s, so that every frame may be false: give the firmware that the device runs", name, row.ELF)
	}
	return nil
}
