package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/times"
	"github.com/ulogkit/ulogkit/format"
)

func newToken() *cobra.Command {
	var set, epoch string
	cmd := &cobra.Command{
		Use:   "token FILE [--set N] [--epoch TIME|now]",
		Short: "Print or patch the session token of a log",
		Long: `token prints the session token of a log, or with --set writes another into it.
With --epoch it writes the time of the report, which a header has from version 4 on:
the device that has no clock of its own left 0 there.

Only these bytes of the file are written, at once: it holds the old token or the new
one, whatever happens, and stays the file that it is, with its owner, its mode and
its links. The checksum covers neither and stays as it is. A damaged log is refused
and left alone. With - as FILE the patched log goes to standard output.`,
		Example: "  ulogkit token log.bin\n  ulogkit token log.bin --set 305419896\n  ulogkit token log.bin --set 0x12345678 --epoch 2024-11-28T21:59:40Z",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			p, err := parsePatch(cmd.Flags().Changed("set"), set, cmd.Flags().Changed("epoch"), epoch)
			if err != nil {
				return usage(err)
			}

			b, err := files.Read(name, cmd.InOrStdin())
			if err == nil {
				err = checkPatchable(b, func(notice string) {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, notice)
				})
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			l, _, err := format.ParseLog(b)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}

			if !p.hasToken && !p.hasEpoch {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), l.SessionToken())
				return err
			}
			if err := p.apply(l); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := files.Patch(name, b, 0, l.LenHeader(), cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "write the token `N`, decimal or 0x hexadecimal")
	cmd.Flags().StringVar(&epoch, "epoch", "", "write the `TIME` of the report, as 2024-11-28T21:59:40Z, or now")
	return cmd
}

// patch is what to write into the header of a log.
type patch struct {
	hasToken, hasEpoch bool
	token              uint32
	epochUs            uint64 // since 1970 UTC
}

func parsePatch(hasToken bool, token string, hasEpoch bool, epoch string) (p patch, err error) {
	p.hasToken, p.hasEpoch = hasToken, hasEpoch
	if hasToken {
		if p.token, err = parseToken(token); err != nil {
			return patch{}, err
		}
	}
	if hasEpoch {
		if p.epochUs, err = parseEpoch(epoch); err != nil {
			return patch{}, err
		}
	}
	return p, nil
}

// parseToken reads a token as people write it: 010 is ten.
func parseToken(s string) (uint32, error) {
	digits, base := s, 10
	if lower := strings.ToLower(s); strings.HasPrefix(lower, "0x") {
		digits, base = s[2:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, fmt.Errorf("--set %q is not a number from 0 to %d, decimal or 0x hexadecimal", s, uint32(math.MaxUint32))
	}
	return uint32(n), nil
}

// parseEpoch reads the time of a report, in microseconds since 1970 UTC.
func parseEpoch(s string) (uint64, error) {
	at, err := times.Parse(s)
	if err != nil {
		return 0, fmt.Errorf("--epoch: %w", err)
	}
	if us := at.UnixMicro(); us > 0 && at.UTC().Year() <= 9999 {
		return uint64(us), nil
	}
	return 0, fmt.Errorf("--epoch %q is not between 1970, which a header counts from, and the year 10000", s)
}

func (p patch) apply(l format.Log) error {
	if p.hasEpoch && !l.SetEpoch(p.epochUs) {
		return fmt.Errorf("a header of version %d has no time; nothing was written", l.Version())
	}
	if p.hasToken {
		l.SetSessionToken(p.token)
	}
	return nil
}

// checkPatchable refuses what is no log whose checksum is right, and several logs
// in one file. What else is odd about a log is told and stays as it is.
func checkPatchable(b []byte, tell func(notice string)) error {
	err := inspect.CheckLog(b)
	if err == nil {
		return nil
	}
	l, rest, noLog := format.ParseLog(b)
	if noLog != nil || l.Verify() != nil || !errors.Is(err, format.ErrTrailing) {
		return err
	}
	if next, _, none := format.ParseLog(rest); none == nil && next.Verify() == nil {
		return err
	}
	tell(err.Error() + "; they stay as they are")
	return nil
}
