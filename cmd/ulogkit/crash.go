package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format/crash"
)

func newCrash() *cobra.Command {
	var elf string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "crash [--elf FW] [--json] FILE",
		Short: "Say why a device crashed, and where",
		Long: `crash says what a crash dump tells: why the processor stopped, in words, and
which functions were running, the innermost first.

FW is the ELF file of the firmware that the device runs. Without it there are
no names, and of the callers the last return address alone. Build with -g to
have source lines, and callers that are certain: those are found by the rules
that the compiler writes for debuggers. What is found by looking through the
stack is shown apart, since calls that had returned leave their addresses too.
Firmware in whose code none of the dump's addresses is, is not used; the exit
code is then 1.

With --json there is one JSON object: the keys of "ulogkit inspect", "fault" and
"backtrace", and with --elf "firmware_fits", whether FW was used. A frame's "confidence" is "unwound" or "scanned", "how"
is where it was found: "pc", "lr", "cfi", "exception" or "stack".`,
		Example: "  ulogkit crash --elf firmware.elf core.bin\n  ulogkit crash --json core.bin | jq -r '.fault.reasons[]'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var fw *crash.Firmware
			if elf != "" {
				var err error
				if fw, err = crash.Load(elf); err != nil {
					return err
				}
			}
			name := args[0]
			b, err := files.Read(name, cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			row, err := inspect.Explain(name, b, fw)
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			switch {
			case row == nil:
			case asJSON:
				printJSON(out, row)
			default:
				printCrash(out, row)
			}
			if row != nil && row.FirmwareFits != nil && !*row.FirmwareFits {
				err = errors.Join(err, fmt.Errorf("%s: neither pc nor lr nor any word of its stack is in the code of %s, which was not used: give the firmware that the device runs", name, elf))
			}
			return errors.Join(out.Flush(), err)
		},
	}
	cmd.Flags().StringVar(&elf, "elf", "", "ELF file `FW` of the firmware")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// printCrash prints what a person asks first: why, and where.
func printCrash(w io.Writer, row *inspect.Crash) {
	printCoreDumpHeader(w, row.CoreDump)
	if row.Fault == nil {
		return
	}
	fmt.Fprintln(w, color.New(color.Bold).Sprint("why"))
	for i, reason := range row.Fault.Reasons {
		if i == 0 {
			reason = color.RedString(reason)
		}
		fmt.Fprintf(w, "  %s\n", reason)
	}
	fmt.Fprintln(w, color.New(color.Bold).Sprint("where"))
	printBacktrace(w, row.Backtrace)
	if row.FirmwareFits == nil || !*row.FirmwareFits {
		fmt.Fprintln(w, "  Give the firmware with --elf for names and callers.")
	}
	fmt.Fprintln(w, color.New(color.Bold).Sprint("registers and memory"))
	printRegisters(w, row.CoreDump)
	printRegions(w, row.CoreDump)
}

func printBacktrace(w io.Writer, calls []inspect.Call) {
	width := 0
	for _, call := range calls {
		width = max(width, len(functionText(&call)))
	}
	leftovers := false
	for i := 0; i < len(calls); i++ {
		call := calls[i]
		if call.Confidence == crash.Scanned && i > 0 && !leftovers {
			leftovers = true
			fmt.Fprintln(w, "  found on the stack or in lr; possible leftovers of calls that had returned:")
		}
		line := fmt.Sprintf("  #%-2d  0x%08x  %-*s", i, call.PC, width, functionText(&call))
		if call.Line != nil {
			line += "  " + quotedName(*call.File) + ":" + strconv.Itoa(*call.Line)
		}
		if call.How == crash.FromException {
			line += color.YellowString("  interrupted here")
		}
		// Of a recursion, its depth says more than its lines.
		times := 1
		for i+1 < len(calls) && calls[i+1].PC == call.PC && calls[i+1].How == call.How {
			times++
			i++
		}
		if times > 1 {
			line += color.YellowString("  %d times", times)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func functionText(call *inspect.Call) string {
	if call.Function == nil {
		return "?"
	}
	return fmt.Sprintf("%s+%d", quotedName(*call.Function), *call.Offset)
}

// quotedName quotes a name of a foreign file that could steer a terminal.
func quotedName(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+2 {
		return q
	}
	return s
}
