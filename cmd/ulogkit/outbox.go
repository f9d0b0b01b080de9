package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/mqttv5"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

func newOutbox() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "outbox list|retry|drop|accept-loss --outbox DIR",
		Short: "Show what waits in an outbox, and decide about what was refused",
		Long: `outbox looks after the records that "ulogkit upload --outbox DIR" has accepted and
not yet delivered. A record that the cloud refused for good is parked, with the
reason; retry returns it to its place in the queue, drop removes it. An outbox
that is being delivered can be listed, and takes what others upload.

A file of an outbox that is damaged is set aside, and what can be read of it is
brought over. Each command that uses the outbox then says how many records are gone,
as far as can be known, and ends with exit code 1, until accept-loss; and so it is of
a record whose bytes changed on disk, until that is dropped.`,
		Example: "  ulogkit outbox list --outbox ./outbox",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOutboxList(), newOutboxRetry(), newOutboxDrop(), newOutboxAcceptLoss())
	return cmd
}

// outboxFlag adds the flag that names the directory.
func outboxFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "outbox", "", "`DIR`ectory of the outbox")
	cmd.MarkFlagRequired("outbox")
}

// outboxApart reports whether none of the files that a command reads is one that an
// outbox in a folder has, or will have: it would be set aside as damaged.
func outboxApart(dir string, inputs []files.Input) error {
	if dir == "" {
		return nil
	}
	for _, name := range boxes.Files(dir) {
		own := files.Input{Flag: "the outbox's own", Name: name, Folder: true}
		for _, in := range inputs {
			if err := (&files.Output{Flag: in.Flag, Name: in.Name}).Apart(own); err != nil {
				return err
			}
		}
	}
	return nil
}

// outboxLimits are the flags that say how much may wait in an outbox.
type outboxLimits struct {
	bytes    int64
	age      time.Duration
	whenFull string
}

func (l *outboxLimits) addFlags(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&l.bytes, "max-bytes", 1<<30, "of --outbox: how many `bytes` may wait in it")
	cmd.Flags().DurationVar(&l.age, "max-age", 0, "of --outbox: accept nothing while a record waits longer than this, in `time` that it was open (default: no limit)")
	cmd.Flags().StringVar(&l.whenFull, "when-full", "refuse", "of --outbox: at a limit `refuse` what is new, or drop-lowest: the oldest records of the lowest level")
}

// config returns the configuration of the outbox in a directory. It refuses one that is
// something else: an outbox would be made within it.
func (l *outboxLimits) config(cmd *cobra.Command, dir string) (boxes.Config, error) {
	other := inspect.OtherFile(dir, inspect.AnOutbox)
	switch {
	case other != nil:
		return boxes.Config{}, usage(fmt.Errorf("--outbox %s: %w", printable(dir), other))
	case l.bytes < 1:
		return boxes.Config{}, usage(errors.New("--max-bytes must be larger than 0"))
	case l.age < 0:
		return boxes.Config{}, usage(errors.New("--max-age must not be negative"))
	case l.whenFull != "refuse" && l.whenFull != "drop-lowest":
		return boxes.Config{}, usage(fmt.Errorf("--when-full %q is neither refuse nor drop-lowest", l.whenFull))
	}
	return boxes.Config{Dir: dir, MaxBytes: l.bytes, MaxAge: l.age, DropLowest: l.whenFull == "drop-lowest", Logger: warnings(cmd)}, nil
}

// withOutbox opens an outbox for f.
func withOutbox(cmd *cobra.Command, dir string, f func(*mqttv5.Outbox) error) (err error) {
	outbox, err := boxes.OpenExisting(boxes.Config{Dir: dir, Logger: warnings(cmd)})
	if err != nil {
		return err
	}
	defer func() {
		damaged := outbox.Stats().Damaged
		err = errors.Join(err, outbox.Close(), damagedRecords(dir, damaged), outboxLosses(dir))
	}()
	return f(outbox)
}

func newOutboxList() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --outbox DIR [--json]",
		Short: "List what waits, what is parked and why",
		Long: `list prints each record of an outbox in the order it was accepted: its id, its state
(waiting, parked or damaged), what it is, of which device, its length in bytes, when
it was accepted and, if it is set aside, why. Damaged files that were set aside are
named on standard error.

With --json there is one JSON object a line, with id, state, kind, serial,
application, git_hash, bytes, accepted, and for what is set aside reason, code (the
server's, if it gave one), attempts and parked.`,
		Example: "  ulogkit outbox list --outbox ./outbox\n  ulogkit outbox list --json --outbox ./outbox | jq -r 'select(.state == \"parked\") | .reason'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			records, err := listRecords(cmd, dir)
			if err != nil {
				return errors.Join(err, outboxLosses(dir))
			}

			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			damaged := 0
			for _, r := range records {
				if r.State == mqttv5.StateDamaged {
					damaged++
				}
				if asJSON {
					printJSON(cmd.OutOrStdout(), recordRow(r))
				} else {
					printRecord(out, r)
				}
			}

			return errors.Join(out.Flush(), damagedRecords(dir, damaged), tellAside(cmd, dir))
		},
	}
	outboxFlag(cmd, &dir)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// listRecords lists an outbox that another process may have open. One whose file is
// damaged is opened, which says so and repairs it.
func listRecords(cmd *cobra.Command, dir string) (records []mqttv5.RecordInfo, err error) {
	records, err = boxes.List(dir)
	if !boxes.IsDamaged(err) {
		return records, err
	}
	outbox, err := boxes.OpenExisting(boxes.Config{Dir: dir, Logger: warnings(cmd)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	records = nil
	for r, err := range outbox.Records() {
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func printRecord(w io.Writer, r mqttv5.RecordInfo) {
	kind, accepted := r.Kind.String(), r.Accepted.Local().Format("2006-01-02 15:04:05 -07:00")
	if r.State == mqttv5.StateDamaged {
		kind, accepted = "-", "-"
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d bytes\t%s", r.ID, r.State, kind, cmp.Or(r.Device.DeviceSerial, "-"), r.Bytes, accepted)
	if r.Reason != "" {
		fmt.Fprintf(w, "\t%s", asFlags(printable(r.Reason)))
	}
	fmt.Fprintln(w)
}

// recordJSON has the keys of "outbox list --json".
type recordJSON struct {
	ID          string     `json:"id"`
	State       string     `json:"state"`
	Kind        string     `json:"kind,omitempty"`
	Serial      string     `json:"serial,omitempty"`
	Application *uint32    `json:"application,omitempty"`
	GitHash     string     `json:"git_hash,omitempty"`
	Bytes       int        `json:"bytes"`
	Accepted    *time.Time `json:"accepted,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	Code        int        `json:"code,omitempty"`
	Attempts    int        `json:"attempts,omitempty"`
	Parked      *time.Time `json:"parked,omitempty"`
}

func recordRow(r mqttv5.RecordInfo) recordJSON {
	row := recordJSON{
		ID: r.ID, State: string(r.State), Serial: r.Device.DeviceSerial, GitHash: r.Device.GitHash, Bytes: r.Bytes,
		Reason: r.Reason, Code: int(r.Code), Attempts: r.Attempts,
	}
	if r.State != mqttv5.StateDamaged {
		row.Kind, row.Application, row.Accepted = r.Kind.String(), &r.Device.ApplicationID, &r.Accepted
	}
	if r.State == mqttv5.StateParked {
		row.Parked = &r.Parked
	}
	return row
}

func newOutboxRetry() *cobra.Command {
	return newOutboxChange(
		"retry --outbox DIR ID...|--all", "Return parked records to their place in the queue",
		"retry returns parked records, each to its place in the queue of its device. The\nnext delivery sends them again. It prints the id of each.",
		"return every parked record", false, (*mqttv5.Outbox).Retry,
	)
}

func newOutboxDrop() *cobra.Command {
	return newOutboxChange(
		"drop --outbox DIR ID...|--all", "Remove records for good",
		"drop removes records from an outbox without delivering them. What they hold is lost.\nWith --all it removes what is parked or damaged; what waits is only dropped by its\nid. It prints the id of each.",
		"drop every record that is parked or damaged", true, (*mqttv5.Outbox).Drop,
	)
}

// newOutboxChange returns a command that does something to records.
func newOutboxChange(use, short, long, allUsage string, damaged bool, change func(*mqttv5.Outbox, string) error) *cobra.Command {
	var dir string
	var all bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return errors.New("give the ids of records, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			return withOutbox(cmd, dir, func(outbox *mqttv5.Outbox) (err error) {
				if all {
					if ids, err = outbox.Aside(damaged); err != nil {
						return err
					}
				}

				for _, id := range ids {
					if err := change(outbox, id); err != nil {
						return &failure{exitData, err} // not wrong usage: who looked up the id may be late
					}
					fmt.Fprintln(cmd.OutOrStdout(), id)
				}

				return nil
			})
		},
	}
	cmd.Example = "  ulogkit outbox " + cmd.Name() + " --outbox ./outbox 00c0ffee00c0ffee-17\n  ulogkit outbox " + cmd.Name() + " --outbox ./outbox --all"
	outboxFlag(cmd, &dir)
	cmd.Flags().BoolVar(&all, "all", false, allUsage)
	return cmd
}
