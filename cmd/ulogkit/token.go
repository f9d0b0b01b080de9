package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format"
)

func newToken() *cobra.Command {
	var set string
	cmd := &cobra.Command{
		Use:   "token FILE [--set N]",
		Short: "Print or patch the session token of a log",
		Long: `token prints the session token of a log, or with --set writes another into it.
The file is replaced at once: it holds the old token or the new one, whatever
happens. The checksum does not cover the token and stays as it is. A damaged log
is refused and left alone. With - as FILE, --set writes the log to standard
output.`,
		Example: "  ulogkit token log.bin\n  ulogkit token log.bin --set 305419896",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			patch := cmd.Flags().Changed("set")
			token, err := strconv.ParseUint(set, 0, 32)
			if patch && err != nil {
				return usage(fmt.Errorf("--set %q is not a number from 0 to %d", set, uint32(math.MaxUint32)))
			}
			b, err := files.Read(name, cmd.InOrStdin())
			if err == nil {
				err = inspect.CheckLog(b)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			l, _, err := format.ParseLog(b)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !patch {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), l.SessionToken())
				return err
			}
			l.SetSessionToken(uint32(token))
			if err := files.Replace(name, b, cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "write the token `N`, decimal or 0x hexadecimal")
	return cmd
}
