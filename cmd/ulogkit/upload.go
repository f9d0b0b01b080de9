package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// uploader is the command's flags.
type uploader struct {
	settings.Settings
	tap    tapFile
	core   string
	text   string
	level  string
	elf    string
	branch string
	outbox string
	asIs   bool
}

func newUpload() *cobra.Command {
	var u uploader
	cmd := &cobra.Command{
		Use:   "upload FILE... | upload --core FILE | upload --text FILE | upload --firmware ELF",
		Short: "Upload logs, a crash dump, text or firmware to the cloud",
		Long: `upload takes binary logs to the cloud, or with --core a crash dump, with --text a
file of text, with --firmware the ELF file that the cloud decodes logs with, and
waits until the cloud has confirmed each. For binary logs it gets the device's
session token, by the boot handshake if it has none yet, and writes it into what it
sends; the files stay as they are. All files are checked before anything is sent,
and if one is bad nothing is.

Logs of an agent so new that their header is not known go with --as-is: not a byte is checked or changed, so that each
must hold its session token already.

Of --text, each line is one entry. A line that is a JSON object with "t" (a number,
such as seconds since 1970), "lv" (1 for debug to 5 for critical) and "m" is taken
as it is; any other is text of this moment and of --level. Empty lines are left out.
Bytes that are not UTF-8 are replaced by U+FFFD; in how many lines is told, and the
exit code is 1.

With --outbox what is given is first kept on disk, in DIR, and is safe there from
crashes and outages; then it and all that waits in DIR is delivered, until nothing
waits or upload is interrupted. An interruption loses nothing: how many still wait is
told on standard error, and the exit code is 0. Without a FILE, what waits is
delivered. While another process delivers DIR, what is given is accepted beside it
and left to that one. A record that the cloud refuses for good is parked: "ulogkit outbox" shows
the reason.` + settings.Help,
		Example: `  ulogkit upload --customer 42 --cert gateway.crt --key gateway.key \
    --application 7 --serial SN-1 --device-type lamp --git-version v1.0.0 --git-hash 3f2c9a1 log.bin
  ulogkit upload --as-is newer.bin
  ulogkit upload --core core.bin
  journalctl -o cat | ulogkit upload --level warning --text -
  ulogkit upload --application 7 --device-type lamp --git-hash 3f2c9a1 --firmware build/lamp.elf
  ulogkit upload --outbox ./outbox log.bin
  ulogkit upload --outbox ./outbox`,
		Args: func(_ *cobra.Command, args []string) error { return u.check(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := load(cmd, &u.Settings); err != nil {
				return err
			}
			if err := u.tap.check(append(u.Files(), files.Inputs(append(args, u.core, u.text, u.elf)...)...)...); err != nil {
				return err
			}
			if u.elf != "" {
				return u.uploadFirmware(cmd)
			}
			j, err := u.job(cmd, args)
			if err != nil {
				return err
			}
			send := u.send
			if u.outbox != "" {
				send = u.deliver
			}
			return errors.Join(send(cmd, j), j.loss)
		},
	}
	u.AddConnectionFlags(cmd.Flags())
	u.AddDeviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&u.asIs, "as-is", false, "upload logs unchecked and unchanged, with the session token that they hold")
	cmd.Flags().StringVar(&u.core, "core", "", "upload the crash dump `FILE`")
	cmd.Flags().StringVar(&u.text, "text", "", "upload the lines of the text `FILE`")
	cmd.Flags().StringVar(&u.level, "level", "info", "`level` of lines of --text that name none: debug, info, warning, error or critical")
	cmd.Flags().StringVar(&u.elf, "firmware", "", "upload the firmware `ELF` file")
	cmd.Flags().StringVar(&u.branch, "branch", "", "git `branch` of --firmware, for people")
	cmd.Flags().StringVar(&u.outbox, "outbox", "", "keep on disk in `DIR` what is accepted until it is delivered")
	u.tap.addFlag(cmd.Flags())
	return cmd
}

// check reports whether the flags and arguments say one thing to upload.
func (u *uploader) check(args []string) error {
	given := 0
	for _, s := range []string{u.core, u.text, u.elf, strings.Join(args, "")} {
		if s != "" {
			given++
		}
	}
	switch {
	case given > 1, given == 0 && u.outbox == "":
		return errors.New("give the logs to upload, or one of --core, --text and --firmware with its file, or --outbox for what waits in it")
	case u.asIs && len(args) == 0:
		return errors.New("--as-is is for logs; give their files")
	case u.asIs && u.outbox != "":
		return errors.New("--as-is sends at once; an outbox takes only logs that it can write a session token into")
	case u.elf != "" && u.outbox != "":
		return errors.New("--firmware goes straight to storage; an outbox does not take it")
	}
	return nil
}

// job is what there is to upload and how.
type job struct {
	names    []string
	payloads [][]byte
	tokens   bool  // session tokens are needed
	loss     error // what the upload does not keep of the payloads
	send     func(context.Context, *mqttv5.Client, []byte) ([]mqttv5.Receipt, error)
	submit   func(context.Context, boxes.Acceptor, []byte) (ids []string, err error)
}

// job reads and checks what the command line names.
func (u *uploader) job(cmd *cobra.Command, args []string) (j job, err error) {
	switch {
	case u.core != "":
		j.names = []string{u.core}
		j.send = func(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
			return one(client.PublishCoreDump(ctx, b))
		}
		j.submit = func(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
			return one(outbox.SubmitCoreDump(ctx, b))
		}
		return u.dumpJob(cmd, j)
	case u.text != "":
		return u.textJob(cmd)
	case len(args) > 0:
		device, err := deviceOf(cmd, &u.Settings)
		if err != nil {
			return j, err
		}
		j.names, j.tokens = args, !u.asIs
		check := checkLog
		j.send = func(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
			return one(client.UploadLog(ctx, device, b))
		}
		j.submit = func(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
			return one(outbox.SubmitLog(ctx, device, b))
		}
		if u.asIs {
			check = func(b []byte) error { return inspect.Other(b, inspect.ALog) }
			j.send = func(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
				return one(client.PublishBinaryLog(ctx, device, b))
			}
		}
		j.payloads, err = readGood(cmd, j.names, check)
		return j, err
	}
	return j, err
}

// checkLog checks a log of which the uploader must know the header.
func checkLog(b []byte) error {
	err := inspect.CheckLog(b)
	if errors.Is(err, format.ErrVersion) {
		err = fmt.Errorf("%w; --as-is sends it unchecked", err)
	}
	return err
}

func (u *uploader) textJob(cmd *cobra.Command) (j job, err error) {
	device, err := deviceOf(cmd, &u.Settings)
	if err != nil {
		return j, err
	}
	level, err := parseLevel(u.level)
	if err == nil && level == format.LevelMetric {
		err = errors.New("--level: text has no metrics")
	}
	if err != nil {
		return j, usage(err)
	}
	now := time.Now()
	entries := func(b []byte) ([]mqttv5.TextEntry, error) { return mqttv5.ReadText(bytes.NewReader(b), now, level) }
	j.names = []string{u.text}
	j.send = func(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
		list, err := entries(b)
		if err != nil {
			return nil, err
		}
		return client.PublishText(ctx, device, list)
	}
	j.submit = func(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
		list, err := entries(b)
		if err != nil {
			return nil, err
		}
		return outbox.SubmitText(ctx, device, list)
	}
	j.payloads, err = readGood(cmd, j.names, func(b []byte) error {
		if err := inspect.CheckText(b); err != nil {
			return err
		}
		_, err := entries(b)
		return err
	})
	replaced := 0
	for line := range bytes.Lines(j.payloads[0]) {
		if !utf8.Valid(line) {
			replaced++
		}
	}
	if replaced > 0 {
		j.loss = fmt.Errorf("%s: %d lines were not UTF-8; their bytes were replaced", u.text, replaced)
	}
	return j, err
}

// one returns a result as the only one, and none with an error.
func one[T any](x T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return []T{x}, nil
}

// readGood returns the content of the files if all are good.
func readGood(cmd *cobra.Command, names []string, check func([]byte) error) ([][]byte, error) {
	payloads := make([][]byte, len(names))
	var bad []error
	for i, name := range names {
		b, err := files.Read(name, cmd.InOrStdin())
		if err == nil {
			err = check(b)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("nothing was sent: %s: %w", name, err))
		}
		payloads[i] = b
	}
	return payloads, errors.Join(bad...)
}

// connect returns a client that the tap records, and what ends both.
func (u *uploader) connect(cmd *cobra.Command, withStore bool, hooks mqttv5.Hooks) (*mqttv5.Client, func() error, error) {
	hooks.WrapConn = u.tap.client()
	client, err := dial(cmd, &u.Settings, withStore, hooks)
	if err != nil {
		return nil, nil, errors.Join(err, u.tap.close())
	}
	return client, func() error { return errors.Join(client.Close(), u.tap.close()) }, nil
}

// send uploads the files over one connection and prints a line for each message
// that was confirmed.
func (u *uploader) send(cmd *cobra.Command, j job) (err error) {
	client, end, err := u.connect(cmd, j.tokens, mqttv5.Hooks{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	for i, name := range j.names {
		receipts, err := j.send(cmd.Context(), client, j.payloads[i])
		for _, r := range receipts {
			if err := printReceipt(cmd, name, r); err != nil {
				return err
			}
		}
		if err != nil {
			if len(j.names) > 1 {
				err = fmt.Errorf("%w (%d of %d files confirmed)", err, i, len(j.names))
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func printReceipt(cmd *cobra.Command, name string, r mqttv5.Receipt) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes confirmed on %s after %v\n", name, r.Bytes, r.Topic, r.Latency.Round(100*time.Microsecond))
	if r.Code == mqttv5.ReasonNoMatchingSubscribers {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: the broker took it, but nobody was subscribed to %s\n", name, r.Topic)
	}
	return err
}

// deliver accepts the files into the outbox and delivers what waits in it. It looks
// at credentials only when all is on disk: they may be missing or have expired, and
// data that is given must be safe from that.
func (u *uploader) deliver(cmd *cobra.Command, j job) (err error) {
	if _, err := u.Client(); err != nil {
		return usage(err)
	}
	events := newEventPrinter(cmd)
	cfg := boxes.Config{Dir: u.outbox, Logger: warnings(cmd)}
	outbox, err := boxes.Open(cfg)
	if errors.Is(err, boxes.ErrHeld) && len(j.names) > 0 {
		outbox, err = u.submitBeside(cmd, j, cfg, events)
		if outbox == nil {
			return err
		}
		j.names = nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()
	if err := accept(cmd, j, outbox, events); err != nil {
		return err
	}
	client, end, err := u.connect(cmd, true, events.hooks())
	if err != nil {
		return fmt.Errorf("%w; %d waiting in %s, safe on disk", err, outbox.Stats().Waiting, u.outbox)
	}
	defer func() { err = errors.Join(err, end()) }()
	defer events.mute()
	waiting, err := client.DeliverAll(cmd.Context(), outbox)
	if waiting > 0 {
		why := ""
		if cmd.Context().Err() != nil {
			why = "interrupted: "
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s%d waiting in %s, safe on disk; the next delivery goes on with them\n", why, waiting, u.outbox)
	}
	return err
}

// accept accepts the files and prints their ids.
func accept(cmd *cobra.Command, j job, outbox boxes.Acceptor, events *eventPrinter) error {
	for i, name := range j.names {
		ids, err := j.submit(cmd.Context(), outbox, j.payloads[i])
		for _, id := range ids {
			events.printf("%s: accepted as %s\n", name, id)
		}
		if err != nil {
			if len(j.names) > 1 {
				err = fmt.Errorf("%w (%d of %d files accepted)", err, i, len(j.names))
			}
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// handoverTime is how long a process that has the outbox open may take to pick up what
// others submit.
const handoverTime = 5 * time.Second

// submitBeside accepts the files while another process delivers. It returns the
// outbox, open, if that process has ended meanwhile, and nil if it sees to them.
func (u *uploader) submitBeside(cmd *cobra.Command, j job, cfg boxes.Config, events *eventPrinter) (*mqttv5.Outbox, error) {
	submitter, err := boxes.OpenSubmitter(cfg)
	if err != nil {
		return nil, err
	}
	if err := accept(cmd, j, submitter, events); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), handoverTime)
	defer cancel()
	outbox, err := submitter.Handover(ctx)
	switch {
	case err != nil:
		// They are accepted, and whoever opens the outbox next delivers them.
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", err)
	case outbox == nil:
		fmt.Fprintf(cmd.ErrOrStderr(), "another process has %s open and delivers them\n", u.outbox)
	}
	return outbox, nil
}
