package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// Exit codes.
const (
	exitData    = 1 // the data is bad or something was lost
	exitUsage   = 2 // wrong usage
	exitNetwork = 3 // the network or the server refused, or credentials cannot be used
)

// failure is an error with the exit code that its command chose.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage gives an error the exit code of wrong usage; nil stays nil.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &failure{exitUsage, err}
}

// inClass gives an error of a command a class of package mqttv5 and leaves its words;
// nil stays nil.
func inClass(class, err error) error {
	if err == nil {
		return nil
	}
	return &classed{err, class}
}

type classed struct {
	error
	class error
}

func (c *classed) Unwrap() []error { return []error{c.error, c.class} }

// exitCode returns the code that an error asks for: the one that its command chose,
// else that of its class. Bad data and what was lost weigh more than the network.
// What has no class is bad data, or wrong usage if cobra said it.
func exitCode(err error, started bool) int {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f.code
	}
	for _, c := range [...]struct {
		class error
		code  int
	}{
		{files.ErrRefused, exitUsage},
		{context.Canceled, exitData},
		{mqttv5.ErrBadData, exitData},
		{mqttv5.ErrNobody, exitData},
		{mqttv5.ErrStorage, exitData},
		{mqttv5.ErrOutboxFull, exitData},
		{mqttv5.ErrConfig, exitUsage},
		{mqttv5.ErrCredentials, exitNetwork},
		{mqttv5.ErrNetwork, exitNetwork},
		{mqttv5.ErrRefused, exitNetwork},
		{mqttv5.ErrClosed, exitNetwork},
	} {
		if errors.Is(err, c.class) {
			return c.code
		}
	}

	if !started {
		return exitUsage
	}
	return exitData
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ulogkit",
		Short: "uLogger logs and crash dumps, from the device's bytes to the cloud and to your eyes",
		Long: `ulogkit takes the binary logs and crash dumps of devices running the uLogger
agent to the cloud and shows what they hold.

Results go to standard output, all else to standard error. Exit code 0: done;
1: the data is bad or something was lost; 2: wrong usage; 3: the network or the
server refused, or credentials cannot be used.`,
		Example:       "  ulogkit demo\n  ulogkit sample -o sample.bin && ulogkit inspect --frames sample.bin",
		Version:       readBuild().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var color colorFlag
	color.add(root.PersistentFlags())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		writeBigIntegers(cmd)
		return color.apply()
	}
	root.AddCommand(
		newDemo(), newCloud(), newInspect(), newVerify(), newToken(), newSample(), newDecode(), newDictionary(), newCrash(), newRegister(), newUpload(), newMetric(), newEvent(), newHeartbeat(), newOutbox(), newGateway(), newWatchConfig(), newDoctor(), newIngest(), newStored(), newExport(), newCapture(),
		newCompletion(), newMan(), newVersion(),
	)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return meantFlag(cmd, settings.Explain(err)) })
	root.CompletionOptions.DisableDefaultCmd = true
	addBigIntegers(root)
	completeValues(root)
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Example = "  ulogkit help upload"
			cmd.Run, cmd.RunE = nil, help
		}
	}
	return root
}

// subcommand is the check of arguments of a command that does nothing without one of
// those below it.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
		text += fmt.Sprintf(". Did you mean %s?", strings.Join(meant, " or "))
	}
	return errors.New(text)
}

// meantFlag adds to an error about a flag that a command does not have the one that is
// spelled nearly so, and the commands that have it.
func meantFlag(cmd *cobra.Command, err error) error {
	unknown := (*pflag.NotExistError)(nil)
	if !errors.As(err, &unknown) {
		return err
	}
	wanted := unknown.GetSpecifiedName()
	if unknown.GetSpecifiedShortnames() != "" || len(wanted) < 2 {
		return err
	}

	near := &cobra.Command{SuggestionsMinimumDistance: max(1, min(2, len(wanted)/3))} // cobra measures names of commands
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		near.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if meant := near.SuggestionsFor(wanted); len(meant) > 0 {
		return fmt.Errorf("%w. Did you mean --%s?", err, strings.Join(meant, " or --"))
	}

	var have []string
	for _, other := range cmd.Root().Commands() {
		if other.Flags().Lookup(wanted) != nil {
			have = append(have, other.Name())
		}
	}
	if len(have) > 0 {
		return fmt.Errorf("%w; it is a flag of %s", err, strings.Join(have, ", "))
	}
	return err
}

// help shows the help of a command that there is.
func help(cmd *cobra.Command, args []string) error {
	topic, rest, err := cmd.Root().Find(args)
	if err != nil {
		return usage(err)
	}
	if len(rest) > 0 {
		return usage(fmt.Errorf("unknown help topic: %w", subcommand(topic, rest)))
	}
	topic.InitDefaultHelpFlag()
	return topic.Help()
}

// counted puts what cobra says of too few or too many arguments into words for
// people.
func counted(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		return nil
	}
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err != nil && strings.Contains(err.Error(), "arg(s)"):
			return fmt.Errorf("give it as \"%s %s\"; %d arguments were given", cmd.Parent().CommandPath(), cmd.Use, len(args))
		case err != nil && strings.HasPrefix(err.Error(), "invalid argument"):
			return fmt.Errorf("%w; give it as \"%s %s\"", err, cmd.Parent().CommandPath(), cmd.Use)
		}
		return err
	}
}

// missing puts what cobra says of flags that must be given into words for people.
func missing(cmd *cobra.Command, err error) error {
	if !strings.HasPrefix(err.Error(), "required flag(s) ") {
		return err
	}
	var all []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[cobra.BashCompOneRequiredFlag] != nil && !f.Changed {
			value, use := pflag.UnquoteUsage(f)
			all = append(all, fmt.Errorf("--%s %s is missing; it is the %s", f.Name, value, use))
		}
	})
	if len(all) == 0 {
		return err
	}
	return errors.Join(all...)
}

// run runs a command line and returns the exit code.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	started := false
	var watch func(*cobra.Command)
	watch = func(parent *cobra.Command) {
		for _, cmd := range parent.Commands() {
			watch(cmd)
			cmd.Args = counted(cmd.Args)
			if f := cmd.RunE; f != nil {
				cmd.RunE = func(cmd *cobra.Command, args []string) error {
					started = true
					return f(cmd, args)
				}
			}
		}
	}

	watch(root)
	root.SetArgs(args)
	root.SetErr(printableWriter{root.ErrOrStderr()})
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}

	if !started {
		err = missing(cmd, err)
	}
	code := exitCode(err, started)
	text := ": " + err.Error()
	if errors.Is(err, context.Canceled) {
		text = ": interrupted" + strings.ReplaceAll(text, ": "+context.Canceled.Error(), "")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s%s\n", cmd.CommandPath(), text)
	for _, hint := range hintKinds(cmd, err) {
		fmt.Fprintln(cmd.ErrOrStderr(), hint)
	}
	if code == exitUsage {
		fmt.Fprintf(cmd.ErrOrStderr(), "%q shows how to use it.\n", cmd.CommandPath()+" --help")
	}
	return code
}
