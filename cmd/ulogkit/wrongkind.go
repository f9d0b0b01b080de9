package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
)

// takenKinds are the kinds of files that commands and flags take which cannot say
// themselves what else a file is: packages do, that know no commands.
var takenKinds = map[string][]string{
	"decode":     {inspect.ALog},
	"dictionary": {inspect.AnELFFile, inspect.ADictionary},
	"capture":    {inspect.ACapture},
	"token":      {inspect.ALog},
	"inspect":    {inspect.ALog, inspect.ACrashDump},
	"crash":      {inspect.ACrashDump},
	"upload":     {inspect.ALog},
	"--elf":      {inspect.AnELFFile, inspect.ADictionary},
	"--core":     {inspect.ACrashDump},
	"--firmware": {inspect.AnELFFile},
}

// hintKinds returns a line for each file of a command that failed which is of a kind
// that the command does not take there, with the commands that take it. What the error
// says already is not said again.
func hintKinds(cmd *cobra.Command, failed error) (hints []string) {
	check := func(where string, names []string) {
		kinds, known := takenKinds[where]
		for _, name := range names {
			is, takes := inspect.Recognize(beginning(name))
			if !known || is == "" || slices.Contains(kinds, is) || strings.Contains(failed.Error(), takes) {
				continue
			}
			hints = append(hints, fmt.Sprintf("%s is %s: %s", printable(name), is, takes))
		}
	}
	check(cmd.Name(), cmd.Flags().Args())
	for _, flag := range []string{"elf", "core", "firmware"} {
		f := cmd.Flags().Lookup(flag)
		if f == nil || !f.Changed {
			continue
		}
		names := []string{f.Value.String()}
		if several, err := cmd.Flags().GetStringArray(flag); err == nil {
			names = several
		}
		check("--"+flag, names)
	}
	return hints
}

// beginning returns the first bytes of a file, and none of what is no regular file.
func beginning(name string) []byte {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return nil
	}
	return b
}
