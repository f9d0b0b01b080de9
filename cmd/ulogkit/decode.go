package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/builds"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
)

// followInterval is how often --follow looks for more: often enough for a
// person, seldom enough for a battery.
const followInterval = 200 * time.Millisecond

// decodeFlags are the flags of decode.
type decodeFlags struct {
	hash, store             string
	elf                     []string
	level, module, grep     string
	line                    string
	since, until, received  string
	follow, asJSON, sources bool
	separate, repeats       bool
	stats, damaged, force   bool
	parallel                int
}

func newDecode() *cobra.Command {
	var f decodeFlags
	cmd := &cobra.Command{
		Use:   "decode --elf FW [--json] [--level L] [--module M] [--grep RE] [--follow] FILE...",
		Short: "Turn logs into text",
		Long: `decode turns the binary logs in each FILE, one or more back to back, into text
with the format strings of the firmware, as the device would have printed it.

FW is the firmware's ELF file, a dictionary that "ulogkit dictionary" made of
one, or a directory of these; with several, each log is decoded with the one
that fits it, and one that fits several with that of the log before; --git-hash and
--store choose it by commit, or by the session token in the log. A FILE whose
records are not those of the firmware is refused with the evidence, unless
--force is given. Without --elf the records keep address and arguments; a FILE of
such records, written with --json, can be decoded later. With several FW each of
them is then judged alone, not with its log, and may read differently.

An argument that the device did not record shows as <missing>, one too many is
appended as <type value>. What was lost is told on standard error: damaged
ranges, gaps in the sequence, strings and arguments that the device did not
keep, records that no firmware fits. It makes the exit code 1. How many records
read differently in another FW that fits their log as well is told there too,
with the names of these FWs.

Times are seconds of the device's counter. Several FILEs, or a folder, are one time
line, in the order in which the device wrote them; --separate keeps them apart. A
log that was sent twice is shown once. Restarts, logs in another order and lost ones
are told on standard error. Wall time ({wall}, "time" with --json) is known where the
device has a clock (header version 4), or from --received.

A line is made after --format; its fields are
  ` + strings.Join(text.Fields(), ", ") + `
each with an optional width, as in {level:-8}. With --json there is one object
a record, with --stats a table of what talks most in place of the records.`,
		Example: `  ulogkit decode --elf firmware.elf log.bin
  ulogkit decode --elf firmware.elf --level warning --module SENSOR --grep 'temp=[3-9]' log.bin
  ulogkit decode --elf builds/ --follow --format '{time} {source} {text}' log.bin
  ulogkit dictionary --sample -o sample.json && ulogkit sample -o - | ulogkit decode --elf sample.json -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.elf, "elf", nil, "firmware `FW`: ELF file, dictionary, or a directory of them; may be repeated")
	flags.StringVar(&f.hash, "git-hash", "", "of several FW take the one of the commit with this `hash`")
	flags.StringVar(&f.store, "store", "", "of several FW take for each log the one of its session token, which this `file` tells, of ulogkit or of the vendor's library (default none)")
	flags.StringVar(&f.level, "level", "debug", "lowest `level` to show: debug, info, warning, error or critical; metric for metrics alone; for single modules after a comma, as in warn,net=debug")
	flags.StringVar(&f.module, "module", "", "`modules` to show, by number or by their name in the build of each log, separated by commas")
	flags.StringVar(&f.grep, "grep", "", "show records whose text matches the regular expression `RE`")
	flags.StringVar(&f.since, "since", "", "show records from `TIME` on: seconds of the device, or wall time as in 2026-11-28T09:30:00Z")
	flags.StringVar(&f.until, "until", "", "show records up to `TIME`, like --since")
	flags.StringVar(&f.received, "received", "", "when each FILE came: a `TIME`, or mtime for the file's own, or name for one in its name")
	flags.BoolVar(&f.separate, "separate", false, "keep several FILEs apart instead of making one time line of them")
	flags.BoolVar(&f.repeats, "repeats", false, "also show logs that were sent before")
	flags.BoolVar(&f.follow, "follow", false, "wait for more at the end of FILE, until interrupted; takes up new builds in FW, and the file that replaces it")
	flags.BoolVar(&f.asJSON, "json", false, "one JSON object a line")
	flags.BoolVar(&f.sources, "source", false, "with --json: the line of code that logged a record, where FW tells")
	flags.StringVar(&f.line, "format", text.DefaultLine, "`format` of a line")
	flags.BoolVar(&f.stats, "stats", false, "records and bytes by format and module, in place of the records")
	flags.BoolVar(&f.damaged, "damaged", false, "also show records in damaged ranges, which may be wrong")
	flags.BoolVar(&f.force, "force", false, "go on with firmware that does not fit")
	flags.IntVar(&f.parallel, "parallel", 0, "number of `cores` to use, 0 for all; the output is the same")
	return cmd
}

// run decodes the files, or standard input, and counts those that were not decoded in
// full.
func (f *decodeFlags) run(cmd *cobra.Command, args []string) error {
	if f.follow && (len(args) != 1 || args[0] == "-") {
		return usage(errors.New("--follow: give one FILE, which is not standard input"))
	}

	switch lines := cmd.Flags().Changed("format"); {
	case f.sources && (!f.asJSON || f.stats):
		return usage(errors.New("--source is for the objects of --json; lines have the field {source}, see --format"))
	case lines && f.asJSON:
		return usage(errors.New("--format is for lines, --json writes objects: give one of them"))
	case lines && f.stats:
		return usage(errors.New("--format is for lines of records, --stats writes none: give one of them"))
	}

	if f.store == settings.NoStore {
		f.store = ""
	}
	switch {
	case f.hash != "" && f.store != "":
		return usage(errors.New("--git-hash and --store both tell which build it is: give one of them"))
	case f.hash != "" && len(f.elf) == 0:
		return usage(errors.New("--git-hash: give the builds to choose from with --elf"))
	case f.store != "" && len(f.elf) == 0:
		return usage(errors.New("--store: give the builds to choose from with --elf"))
	}
	given, err := builds.Open(builds.Config{
		Paths: f.elf, GitHash: f.hash, TokenFile: f.store, Live: f.follow,
		Stderr: cmd.ErrOrStderr(), Logger: logger(cmd.ErrOrStderr(), slog.LevelInfo),
	})
	if err != nil {
		return err
	}

	decoder, err := f.decoder(given, cmd.ErrOrStderr())
	if err != nil {
		return usage(err)
	}
	if f.sources || strings.Contains(f.line, "{source") {
		given.TellNoSources()
	}

	names, err := expandSources(args)
	if err != nil {
		return err
	}

	bad := 0
	tell := func(name string, report *text.Report, err error) error {
		if f.follow && errors.Is(err, context.Canceled) {
			err = nil // an interrupt is how following ends
		}
		if err != nil || report.Lost() {
			bad++
		}
		given.TellUnknown()
		name = text.Printable(name)
		if e := report.Write(cmd.ErrOrStderr(), name); e != nil {
			return e
		}
		switch {
		case err != nil && errors.Is(err, context.Canceled):
			return err
		case err != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", name, err)
			if errors.Is(err, text.ErrWrongDictionary) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: give the ELF file that the device runs, or --force to go on with %s\n", name, strings.Join(f.elf, ", "))
			}
		}

		return nil
	}
	if err := f.decodeAll(cmd, decoder, names, tell); err != nil {
		return err
	}
	if f.stats {
		write := decoder.Stats().WriteTable
		if f.asJSON {
			write = decoder.Stats().WriteJSON
		}
		if err := write(cmd.OutOrStdout()); err != nil {
			return err
		}
	}

	if bad > 0 {
		return fmt.Errorf("%d of %d files not decoded in full", bad, len(names))
	}
	return nil
}

// decoder makes a decoder of the flags.
func (f *decodeFlags) decoder(given *builds.Builds, stderr io.Writer) (*text.Decoder, error) {
	cfg := text.Config{
		Dictionaries: given.Dictionaries(), Force: f.force, JSON: f.asJSON, Sources: f.sources, Quiet: f.stats, Damaged: f.damaged,
		Parallel: f.parallel, Repeats: f.repeats,
	}
	if err := setBound(f.since, &cfg.Filter.Since, &cfg.Filter.SinceTime); err != nil {
		return nil, fmt.Errorf("--since: %w", err)
	}
	if err := setBound(f.until, &cfg.Filter.Until, &cfg.Filter.UntilTime); err != nil {
		return nil, fmt.Errorf("--until: %w", err)
	}

	if f.follow {
		cfg.Reload = given.Reload
	}
	cfg.Known = given.Issued()
	if cfg.Parallel == 0 {
		cfg.Parallel = min(runtime.GOMAXPROCS(0), 64)
	}

	err := f.setLevels(&cfg.Filter, given.Dictionaries(), stderr)
	if err != nil {
		return nil, err
	}
	if f.module != "" {
		cfg.Filter.Modules, cfg.Filter.ModuleNames = text.ParseModules(f.module)
		err := text.CheckModules(cfg.Filter.ModuleNames, given.Dictionaries())
		switch {
		case err != nil && f.follow && len(given.Dictionaries()) > 0:
			fmt.Fprintf(stderr, "--module: %v; a new build may have it\n", err)
		case err != nil:
			return nil, fmt.Errorf("--module: %w", err)
		}
	}

	if f.grep != "" {
		if cfg.Filter.Grep, err = regexp.Compile(f.grep); err != nil {
			return nil, fmt.Errorf("--grep: %w", err)
		}
	}

	cfg.Terminal = onTerminal()
	if cfg.Line, err = text.ParseLine(f.line, !color.NoColor); err != nil {
		return nil, fmt.Errorf("--format: %w", err)
	}
	return text.NewDecoder(cfg)
}

// setLevels sets the levels to show: one for all, others for single modules.
func (f *decodeFlags) setLevels(filter *text.Filter, dicts []text.Dictionary, stderr io.Writer) error {
	var modules []string
	for part := range strings.SplitSeq(f.level, ",") {
		module, name, single := strings.Cut(strings.TrimSpace(part), "=")
		if !single {
			module, name = "", module
		}

		level, err := parseLevel("level", name)
		if err != nil {
			return err
		}
		if !single {
			filter.Levels = text.LevelsFrom(level)
			continue
		}
		if filter.ModuleLevels == nil {
			filter.ModuleLevels = map[string]uint8{}
		}
		filter.ModuleLevels[module] = text.LevelsFrom(level)
		if _, names := text.ParseModules(module); len(names) > 0 {
			modules = append(modules, names...)
		}
	}

	switch err := text.CheckModules(modules, dicts); {
	case err != nil && f.follow && len(dicts) > 0:
		fmt.Fprintf(stderr, "--level: %v; a new build may have it\n", err)
	case err != nil:
		return fmt.Errorf("--level: %w", err)
	}
	return nil
}

// decodeAll decodes the files to standard output, as one time line as far as they
// can be read twice.
func (f *decodeFlags) decodeAll(cmd *cobra.Command, decoder *text.Decoder, names []string, tell func(string, *text.Report, error) error) error {
	var meter *progress.Meter
	if !f.follow {
		meter = meterOf("decoding", true, names, 2) // once for the time line, once for the lines
		defer meter.Done()
	}

	var inputs []text.Input
	flush := func() error {
		if len(inputs) == 0 {
			return nil
		}
		outcomes := decoder.Timeline(cmd.Context(), inputs, cmd.OutOrStdout())
		for i := range outcomes {
			if err := tell(inputs[i].Name, &outcomes[i].Report, outcomes[i].Err); err != nil {
				return err
			}
		}
		inputs = nil
		return cmd.Context().Err()
	}
	for _, name := range names {
		in, ok, err := input(name, f.received, meter)
		switch {
		case err != nil:
			return usage(err)
		case ok && !f.follow:
			if inputs = append(inputs, in); !f.separate {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
			continue
		case len(inputs) > 0:
			if err := flush(); err != nil {
				return err
			}
		}

		report, err := f.decode(cmd, decoder, name)
		if err := tell(name, &report, err); err != nil {
			return err
		}
	}
	return flush()
}

// decode decodes one file to standard output as it comes.
func (f *decodeFlags) decode(cmd *cobra.Command, decoder *text.Decoder, name string) (text.Report, error) {
	in := io.NopCloser(cmd.InOrStdin())
	var err error
	switch {
	case f.follow:
		in, err = text.Follow(cmd.Context(), name, followInterval)
	case name != "-":
		in, err = os.Open(name)
	}
	if err != nil {
		return text.Report{}, errors.Unwrap(err) // the name is told anyway
	}
	defer in.Close()
	report, err := decoder.Decode(cmd.Context(), name, in, cmd.OutOrStdout())
	if err == nil && report.Bytes == 0 {
		err = format.CheckLog(nil) // an empty file is no log, wherever it comes from
	}
	return report, err
}
