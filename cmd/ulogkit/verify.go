package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
)

func newVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check logs and crash dumps",
		Long: `verify checks each FILE down to the last argument or memory region. It says
nothing of good files and prints one line "FILE: reason" for each bad one. A log
between whose frames others are missing, by the numbers that header version 1 gives
them, is one of the bad.`,
		Example: "  ulogkit verify *.bin\n  nc -l 9000 | ulogkit verify -",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bad := 0
			meter := meterOf("verifying", true, args, 1)
			defer meter.Done()

			for _, name := range args {
				b, err := files.Read(name, cmd.InOrStdin())
				meter.Add(int64(len(b)), 0)
				if err == nil {
					err = inspect.Check(b)
				}
				if err == nil {
					continue
				}
				bad++
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %v\n", shown(name), err); err != nil {
					return err
				}
			}

			return countBad(bad, len(args))
		},
	}
}
