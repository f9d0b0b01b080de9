package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

// takenByCommands are the kinds of files that commands take as arguments.
var takenByCommands = map[string][]string{
	"ulogkit":    {}, // a file in place of a command
	"decode":     {inspect.ALog},
	"dictionary": {inspect.AnELFFile, inspect.ADictionary},
	"capture":    {inspect.ACapture},
	"token":      {inspect.ALog},
	"inspect":    {inspect.ALog, inspect.ACrashDump},
	"verify":     {inspect.ALog, inspect.ACrashDump},
	"crash":      {inspect.ACrashDump},
	"upload":     {inspect.ALog},
}

// takenByFlags are the kinds of files and folders that flags take, of each command that
// has them.
var takenByFlags = map[string][]string{
	"elf":          {inspect.AnELFFile, inspect.ADictionary},
	"elf-dir":      {},
	"core":         {inspect.ACrashDump},
	"text":         {inspect.ADictionary}, // JSON is text, and this is nobody's secret
	"firmware":     {inspect.AnELFFile},
	"store":        {inspect.ATokenFile},
	"position":     {inspect.APosition},
	"outbox":       {inspect.AnOutbox},
	"from":         {inspect.ASink},
	"sink":         {inspect.ASink},
	"cert":         {inspect.ACertificate},
	"key":          {inspect.APrivateKey},
	"ca":           {inspect.ACertificate},
	"nats-ca":      {inspect.ACertificate},
	"nats-creds":   {},
	"config":       {},
	"headers-file": {},
	"spool":        {},
	"config-dir":   {},
	"extract":      {},
}

// hintKinds returns a line for each file of a command that failed which is of a kind
// that the command does not take there, with the commands that take it. What the error
// says already is not said again.
func hintKinds(cmd *cobra.Command, failed error) (hints []string) {
	check := func(kinds []string, names []string) {
		for _, name := range names {
			is, takes := inspect.RecognizeFile(name)
			if is == "" || slices.Contains(kinds, is) || strings.Contains(failed.Error(), takes) {
				continue
			}
			if hint := fmt.Sprintf("%s is %s: %s", printable(name), is, takes); !slices.Contains(hints, hint) {
				hints = append(hints, hint)
			}
		}
	}

	if kinds, known := takenByCommands[cmd.Name()]; known {
		check(kinds, cmd.Flags().Args())
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		kinds, known := takenByFlags[f.Name]
		if !known {
			return
		}
		names := filesIn(f)
		if f.Name == "from" || f.Name == "sink" {
			var named bool
			if names[0], named = strings.CutPrefix(names[0], sinks.FilePrefix); !named {
				kinds = nil // a folder alone is none
			}
		}
		check(kinds, names)
	})

	return hints
}

// filesIn returns the files that the value of a flag names.
func filesIn(f *pflag.Flag) []string {
	if several, ok := f.Value.(pflag.SliceValue); ok {
		return several.GetSlice()
	}
	return []string{f.Value.String()}
}
