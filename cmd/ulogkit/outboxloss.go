package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// outboxLosses returns an error that tells each loss of an outbox that nobody has
// accepted, for exit code 1, or nil.
func outboxLosses(dir string) error {
	losses, err := boxes.Losses(dir)
	all := []error{err}
	for i := range losses {
		if l := &losses[i]; !l.Accepted && !l.None() {
			all = append(all, fmt.Errorf("%s: %s; \"ulogkit outbox accept-loss\" ends this message", dir, printable(l.String())))
		}
	}
	if err := errors.Join(all...); err != nil {
		return &failure{exitData, err}
	}
	return nil
}

// damagedRecords returns an error that tells of records whose bytes changed on disk,
// for exit code 1, or nil.
func damagedRecords(dir string, n int) error {
	if n == 0 {
		return nil
	}
	return &failure{exitData, fmt.Errorf("%s: %d damaged on disk; see \"ulogkit outbox list\", and \"ulogkit outbox drop\" ends this message", dir, n)}
}

// tellAside names the files set aside of which nothing needs to be decided, and
// returns the losses as outboxLosses does.
func tellAside(cmd *cobra.Command, dir string) error {
	losses, _ := boxes.Losses(dir) // an error is in outboxLosses
	for i := range losses {
		if l := &losses[i]; l.Accepted || l.None() {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", dir, printable(l.String()))
		}
	}
	return outboxLosses(dir)
}

func newOutboxAcceptLoss() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "accept-loss --outbox DIR",
		Short: "Take the losses of an outbox as seen",
		Long: `accept-loss prints what an outbox has lost to damage and takes it as seen: other
commands no longer speak of it. It removes nothing, the damaged files stay for who
wants to look at them, and the outbox may be in use.`,
		Example: "  ulogkit outbox accept-loss --outbox ./outbox",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			losses, err := boxes.Losses(dir)
			if err != nil {
				return err
			}

			var open []boxes.Loss
			for _, l := range losses {
				if !l.Accepted {
					open = append(open, l)
				}
			}

			if len(open) == 0 {
				return nil
			}
			if err := boxes.AcceptLosses(dir, open); err != nil {
				return err
			}

			for i := range open {
				fmt.Fprintln(cmd.OutOrStdout(), printable(open[i].String()))
			}
			return nil
		},
	}
	outboxFlag(cmd, &dir)
	return cmd
}
