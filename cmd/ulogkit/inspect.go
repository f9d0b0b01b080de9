package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

func newInspect() *cobra.Command {
	var frames, asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect [--frames] [--json] FILE...",
		Short: "Say what a file is and holds",
		Long: `inspect says whether each FILE is a binary log or a crash dump, what its header
holds and whether it is good. A file that is not good makes the exit code 1.

With --json there is one JSON object a line. All integers are JSON numbers,
64-bit ones with all their digits. A double that JSON has no number for is
"NaN", "Infinity" or "-Infinity" with its 64 bits in "bits"; a string that is
not UTF-8 has all its bytes in "hex"; a string that the device dropped is null.`,
		Example: "  ulogkit inspect --frames log.bin\n  ulogkit inspect --json core.bin | jq .registers.pc",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			print := printRow
			if asJSON {
				print = printJSON
			}
			bad := 0
			meter := meterOf("reading", true, args, 1)
			defer meter.Done()

			for _, name := range args {
				b, err := files.Read(name, cmd.InOrStdin())
				meter.Add(int64(len(b)), 0)
				if err == nil {
					var row any
					row, err = inspect.File(name, b)
					print(out, row)
					if frames {
						for row := range inspect.Frames(name, b) {
							print(out, row)
						}
					}
				}
				if err != nil {
					bad++
					out.Flush()
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", name, err)
				}
			}

			return errors.Join(out.Flush(), countBad(bad, len(args)))
		},
	}
	cmd.Flags().BoolVar(&frames, "frames", false, "list each frame of a log and its arguments")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// countBad is the error that ends a command over several files.
func countBad(bad, all int) error {
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d files bad", bad, all)
}

func printJSON(w io.Writer, row any) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(row) // a write error shows when w is flushed
}

// printRow prints a row for a person.
func printRow(w io.Writer, row any) {
	switch row := row.(type) {
	case *inspect.Log:
		fmt.Fprintf(w, "%s: log, header version %d, %d frames, %s\n", shown(row.File), row.Version, row.Frames, goodness(row.Error))
		printField(w, "session token", row.SessionToken)
		printField(w, "sequence", row.Sequence)
		printField(w, "tick", row.Tick)
		printField(w, "tick rate, Hz", row.TickRateHz)
		if row.EpochTimeUs != nil {
			fmt.Fprintf(w, "  %-16s %s\n", "epoch", epochText(*row.EpochTimeUs))
		}

		printField(w, "data bytes", row.DataLen)
		if row.LostFrames > 0 {
			printField(w, "lost frames", &row.LostFrames)
		}
		if row.Trailing > 0 {
			printField(w, "trailing bytes", &row.Trailing)
		}
		if row.Checksum != nil {
			fmt.Fprintf(w, "  %-16s 0x%04x, %s\n", "checksum", *row.Checksum, matches(row.ChecksumOK))
		}
	case *inspect.CoreDump:
		printCoreDump(w, row)
	case *inspect.Unknown:
		fmt.Fprintf(w, "%s: %d bytes, %s\n", shown(row.File), row.Len, color.RedString("neither a crash dump nor a log of a known version"))
	case *inspect.Frame:
		printFrame(w, row)
	}
}

// epochText shows the time that a header has, which may be any number.
func epochText(us uint64) string {
	if us == 0 {
		return "0, the device has no clock"
	}
	if us > math.MaxInt64 || !clock.Believed(int64(us)) {
		return fmt.Sprintf("%d us, %s", us, color.RedString("no time before the year 10000"))
	}
	return fmt.Sprintf("%d us, %s", us, time.UnixMicro(int64(us)).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

func printField[T any](w io.Writer, name string, value *T) {
	if value != nil {
		fmt.Fprintf(w, "  %-16s %v\n", name, *value)
	}
}

func goodness(reason string) string {
	if reason != "" {
		return color.RedString("bad")
	}
	return color.GreenString("good")
}

func matches(ok bool) string {
	if ok {
		return color.GreenString("matches")
	}
	return color.RedString("does not match")
}

// printFrame prints one line: when, how bad, where from, what.
func printFrame(w io.Writer, row *inspect.Frame) {
	var when string
	if row.Sequence != nil {
		when = fmt.Sprintf("#%d", *row.Sequence)
	} else {
		when = fmt.Sprintf("+%d", *row.TickDelta)
	}
	rest := argsText(row)
	if row.Error != "" {
		rest = " " + color.RedString(row.Error)
	}
	fmt.Fprintf(w, "  %5d %10s %s module %-2d 0x%08x%s\n", row.Index, when, levelText(row.Level), row.Module, row.FmtAddr, rest)
}

// argsText returns the arguments, a space before each.
func argsText(row *inspect.Frame) string {
	var b strings.Builder
	for _, arg := range row.Args {
		b.WriteString(" " + arg.Text())
	}
	return b.String()
}

// levelText returns the level's name, all names equally wide.
func levelText(level format.Level) string {
	name := fmt.Sprintf("%-8v", level)
	switch {
	case level == format.LevelMetric:
		return color.CyanString(name)
	case level >= format.LevelError:
		return color.RedString(name)
	case level == format.LevelWarning:
		return color.YellowString(name)
	}
	return name
}

func printCoreDump(w io.Writer, row *inspect.CoreDump) {
	printCoreDumpHeader(w, row)
	printRegisters(w, row)
	printRegions(w, row)
}

func printCoreDumpHeader(w io.Writer, row *inspect.CoreDump) {
	fmt.Fprintf(w, "%s: crash dump, %d bytes, %s\n", shown(row.File), row.TotalLen, goodness(row.Error))
	fmt.Fprintf(w, "  %-16s 0x%08x, %s\n", "checksum", row.Checksum, matches(row.ChecksumOK))
	fmt.Fprintf(w, "  %-16s %q, %q, application %d\n", "device", row.DeviceSerial, row.DeviceType, row.ApplicationID)
	fmt.Fprintf(w, "  %-16s %q, commit %q\n", "firmware", row.VersionString, row.GitHash)
}

// printRegisters prints the registers of a crash dump, four on a line.
func printRegisters(w io.Writer, row *inspect.CoreDump) {
	if row.Registers == nil {
		return
	}
	_, values := row.Registers.Values()
	text := func(i int) string {
		if values[i] == nil { // the dump was cut before
			return "--------"
		}
		return fmt.Sprintf("%08x", *values[i])
	}
	names := [...]string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc"}
	for i := 0; i < len(names); i += 4 {
		for j := i; j < i+4; j++ {
			fmt.Fprintf(w, "  %-3s %s", names[j], text(j))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  msp %s  psp %s  xpsr %s, in the handler %s\n", text(17), text(18), text(16), text(19))
}

func printRegions(w io.Writer, row *inspect.CoreDump) {
	for _, region := range row.Regions {
		fmt.Fprintf(w, "  memory %08x to %08x, %d bytes\n", region.Start, region.End, region.End-region.Start)
	}
	if row.StackOverflow {
		fmt.Fprintf(w, "  %s\n", color.RedString("the stack had overflowed"))
	}
}
