package main

import (
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

// The ends of the names of files of a kind. Shells that can show others as well.
var (
	elfNames     = []string{"elf", "axf", "out", "json"}
	captureNames = []string{"pcap", "pcapng", "cap", "gz", "zst"}
	pemNames     = []string{"pem", "crt", "cer", "key"}
)

// completeValues gives each flag and argument below a command what completion offers for
// it: the words that it takes, files of its kind, or nothing where there is nothing to
// offer.
func completeValues(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if complete := valuesOf(cmd, f); complete != nil {
			cmd.RegisterFlagCompletionFunc(f.Name, complete) // fails only where one has its own
		}
	})
	if cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = argumentsOf(cmd.Name())
	}
	for _, sub := range cmd.Commands() {
		completeValues(sub)
	}
}

// valuesOf returns what completes the value of a flag, and nil where files do.
func valuesOf(cmd *cobra.Command, f *pflag.Flag) cobra.CompletionFunc {
	switch f.Name {
	case "level":
		return levels(cmd.Name() == "decode", cmd.Name() == "upload")
	case "log-level":
		return levels(false, false)
	case "color":
		return words("auto\ton a terminal, without NO_COLOR", "always", "never")
	case "version":
		if cmd.Name() == "sample" {
			return words("1\tagents up to 1.0.2", "3\tagents up to 1.2.2", "4\tlater agents")
		}
		return nil
	case "when-full":
		return words("refuse\taccept nothing more", "drop-lowest\tmake room: the oldest records of the lowest level go")
	case "compress":
		return words("auto\tabove 1,024 bytes", "always", "never")
	case "serial":
		return serials
	case "epoch", "time":
		return words("now")
	case "received":
		return words("now", "mtime\tthe file's own", "name\tone in its name")
	case "sink", "from":
		return sinkNames
	case "store":
		if cmd.Name() == "decode" || cmd.Name() == "export" { // they read it
			return filesOf("json")
		}
		return fileOr("none\tkeep no tokens")
	case "elf", "firmware":
		return filesOf(elfNames...)
	case "cert", "key", "ca", "nats-ca":
		return filesOf(pemNames...)
	case "nats-creds":
		return filesOf("creds")
	case "dir", "outbox", "spool", "config-dir", "extract", "elf-dir", "quarantine-dir":
		return folders
	case "interface":
		return interfaces
	}

	if slices.Contains([]string{"string", "stringArray", "stringSlice"}, f.Value.Type()) && takesFile(f) {
		return nil
	}
	return nothing
}

// takesFile reports whether a flag says that its value is a file.
func takesFile(f *pflag.Flag) bool {
	name, _ := pflag.UnquoteUsage(f)
	return strings.EqualFold(name, "file") || f.Name == "config"
}

// argumentsOf returns what completes the arguments of a command.
func argumentsOf(name string) cobra.CompletionFunc {
	switch name {
	case "capture":
		return filesOf(captureNames...)
	case "dictionary":
		return filesOf(elfNames...)
	case "man":
		return folders
	case "inspect", "verify", "token", "decode", "crash", "upload":
		return nil // files of any name
	}
	return nothing
}

func nothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func words(choices ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
}

func filesOf(ends ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(ends, cobra.ShellCompDirectiveFilterFileExt)
}

func fileOr(choice string) cobra.CompletionFunc {
	return cobra.FixedCompletions([]string{choice}, cobra.ShellCompDirectiveDefault)
}

// levels completes a level, and in a list MODULE=L too.
func levels(list, text bool) cobra.CompletionFunc {
	var names []string
	for level := format.LevelDebug; level <= format.LevelCritical; level++ {
		names = append(names, level.String())
	}
	if !list && !text {
		names = append(names, format.LevelMetric.String())
	}
	return func(_ *cobra.Command, _ []string, begun string) (offered []string, _ cobra.ShellCompDirective) {
		before := ""
		if list {
			before = begun[:strings.LastIndexAny(begun, ",=")+1]
		}
		for _, name := range names {
			offered = append(offered, before+name)
		}
		return offered, cobra.ShellCompDirectiveNoFileComp
	}
}

// sinkNames completes how the name of a sink begins; the rest of file: is a folder.
func sinkNames(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	dir, isFile := strings.CutPrefix(begun, sinks.FilePrefix)
	if !isFile {
		return []string{sinks.FilePrefix + "\ta folder", "nats://\tNATS JetStream"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	parent := dir[:strings.LastIndexByte(dir, '/')+1]
	entries, err := os.ReadDir(parent + ".")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var offered []string
	for _, e := range entries {
		if e.IsDir() {
			offered = append(offered, sinks.FilePrefix+parent+e.Name())
		}
	}
	return offered, cobra.ShellCompDirectiveNoFileComp
}

// serials completes the serial number of a device from the token file that the command
// would use.
func serials(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return settings.KnownSerials(cmd.Flags(), os.Getenv), cobra.ShellCompDirectiveNoFileComp
}

func interfaces(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
