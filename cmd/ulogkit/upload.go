package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
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
	limits outboxLimits
	strict bool
	asIs   bool
	epoch  string

	allowNobody bool
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
sends; the files stay as they are. All files are checked before anything is sent; what
is bad is named and does not keep back the others, and the exit code is 1.

A broker says whether somebody was subscribed when it took a message. Where nobody was,
it has thrown the message away: that is told, and the exit code is 1, unless
--allow-no-subscriber is given.

A crash dump that was cut or is damaged, by its checksum too, is sent as it is, and
what is wrong with it is told: no device writes it a second time. --strict refuses it.

Logs of an agent so new that their header is not known go with --as-is. Not a byte is
checked, and none is changed but a session token of 0: it lies at the same place in
every version, and gets the device's token.

A device without a clock of its own leaves 0 as the time of its report, and the cloud
then takes that of the arrival. With --epoch now, or a TIME, a 0 in a header that has
the field, from version 4 on, is replaced; a time that the device wrote stays, and so
do the files.

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
  ulogkit upload --epoch now log.bin
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
			if err := u.apart(append(args, u.core, u.text, u.elf)...); err != nil {
				return err
			}
			if u.elf != "" {
				return u.uploadFirmware(cmd)
			}
			src, names, err := u.source(cmd, args)
			if err != nil {
				return err
			}
			var items []item
			var bad error
			if src != nil {
				if items, bad = read(cmd, src, names); len(items) == 0 {
					return bad
				}
			}
			send := u.send
			if u.outbox != "" {
				send = u.deliver
			}
			err = send(cmd, src, items)
			if t, ok := src.(*textSource); ok {
				bad = errors.Join(bad, t.loss(items))
			}
			return errors.Join(bad, err)
		},
	}
	u.AddConnectionFlags(cmd.Flags())
	u.AddDeviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&u.strict, "strict", false, "refuse logs with bytes behind the data, or whose frames do not fill it, although their checksum is right, and damaged crash dumps")
	cmd.Flags().StringVar(&u.epoch, "epoch", "", "write the `TIME` of the report, as 2024-11-28T21:59:40Z, or now, into logs whose header has a time and no more than 0 in it")
	cmd.Flags().BoolVar(&u.asIs, "as-is", false, "upload logs unchecked and, but for a session token of 0, unchanged")
	cmd.Flags().StringVar(&u.core, "core", "", "upload the crash dump `FILE`")
	cmd.Flags().StringVar(&u.text, "text", "", "upload the lines of the text `FILE`")
	cmd.Flags().StringVar(&u.level, "level", "info", "`level` of lines of --text that name none: debug, info, warning, error or critical")
	cmd.Flags().StringVar(&u.elf, "firmware", "", "upload the firmware `ELF` file")
	cmd.Flags().StringVar(&u.branch, "branch", "", "git `branch` of --firmware, for people")
	u.addFlags(cmd)
	return cmd
}

// addFlags adds the flags of all commands that send, at once or by way of an outbox.
func (u *uploader) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&u.allowNobody, "allow-no-subscriber", false, "take it as done when the broker says that nobody is subscribed")
	cmd.Flags().StringVar(&u.outbox, "outbox", "", "keep on disk in `DIR` what is accepted until it is delivered")
	u.limits.addFlags(cmd)
	u.tap.addFlag(cmd.Flags())
}

// inputs are the files that the command uses.
func (u *uploader) inputs(names ...string) []files.Input {
	return append(append(u.Files(), files.Inputs(names...)...), files.Input{Flag: "--outbox", Name: u.outbox, Folder: true})
}

// apart reports whether --tap is none of the files that the command uses, and whether
// none of those has a name of the outbox's own.
func (u *uploader) apart(names ...string) error {
	if err := outboxApart(u.outbox, u.Files()); err != nil {
		return err
	}
	return u.tap.check(u.inputs(names...)...)
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
	case u.epoch != "" && len(args) == 0:
		return errors.New("--epoch is for logs; give their files")
	case u.epoch != "" && u.asIs:
		return errors.New("--as-is changes nothing but a session token of 0; leave out --epoch")
	case u.elf != "" && u.outbox != "":
		return errors.New("--firmware goes straight to storage; an outbox does not take it")
	}
	return nil
}

// item is a file that is good.
type item struct {
	name    string
	payload []byte
}

// read reads and checks the files of a source, and returns the good ones and an
// error that names the others.
func read(cmd *cobra.Command, s source, names []string) (good []item, err error) {
	var bad []error
	for _, name := range names {
		b, err := files.Read(name, cmd.InOrStdin())
		if err == nil {
			b, err = s.prepare(name, b)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", name, err))
			continue
		}
		good = append(good, item{name, b})
	}
	what := "not sent"
	if len(good) == 0 {
		what = "nothing was sent"
	}
	for i, err := range bad {
		bad[i] = fmt.Errorf("%s: %w", what, err)
	}
	return good, inClass(mqttv5.ErrBadData, errors.Join(bad...))
}

// connect returns a client that the tap records, and what ends both.
func (u *uploader) connect(cmd *cobra.Command, withStore bool, hooks mqttv5.Hooks) (*mqttv5.Client, func() error, error) {
	u.tap.tell = cmd.ErrOrStderr()
	hooks.WrapConn = u.tap.client()
	u.AllowNoSubscriber = u.allowNobody || u.outbox == "" // a receipt says it, too
	client, err := dial(cmd, &u.Settings, withStore, hooks)
	if err != nil {
		return nil, nil, errors.Join(err, u.tap.close())
	}
	return client, func() error { return errors.Join(client.Close(), u.tap.close()) }, nil
}

// send uploads the files over one connection and prints a line for each message
// that was confirmed. One that is refused stops no other.
func (u *uploader) send(cmd *cobra.Command, src source, items []item) (err error) {
	client, end, err := u.connect(cmd, src.needsToken(), mqttv5.Hooks{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()

	total := int64(0)
	for _, it := range items {
		total += int64(len(it.payload))
	}
	meter := progress.New(screen(true), "uploading", total)
	defer meter.Done()

	var failed []error
	confirmed := 0
	for _, it := range items {
		receipts, err := src.send(cmd.Context(), client, it.payload)
		meter.Add(int64(len(it.payload)), 1)
		for _, r := range receipts {
			nobody := r.Code == mqttv5.ReasonNoMatchingSubscribers
			if nobody && !u.allowNobody {
				failed = append(failed, inClass(mqttv5.ErrBadData, fmt.Errorf("%s: nobody was subscribed to %s: %s", it.name, r.Topic, hintNobody)))
				continue
			}
			if nobody {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: the broker took it, but nobody was subscribed to %s\n", it.name, r.Topic)
			}
			if err := printReceipt(cmd, it.name, r); err != nil {
				return err
			}
		}
		if err == nil {
			confirmed++
			continue
		}

		failed = append(failed, fmt.Errorf("%s: %w", it.name, err))
		if !errors.Is(err, mqttv5.ErrBadData) && !errors.Is(err, mqttv5.ErrRefused) {
			break // no other will fare better
		}
	}

	if n := len(failed); n > 0 && len(items) > 1 {
		failed[n-1] = fmt.Errorf("%w (%d of %d files confirmed)", failed[n-1], confirmed, len(items))
	}
	return errors.Join(failed...)
}

const hintNobody = "the broker took it and keeps nothing; --allow-no-subscriber if that is as it should be"

func printReceipt(cmd *cobra.Command, name string, r mqttv5.Receipt) error {
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes confirmed on %s after %v\n", shown(name), r.Bytes, r.Topic, r.Latency.Round(100*time.Microsecond))
	return err
}

// deliver accepts the files into the outbox and delivers what waits in it. It looks
// at credentials only when all is on disk: they may be missing or have expired, and
// data that is given must be safe from that.
func (u *uploader) deliver(cmd *cobra.Command, src source, items []item) (err error) {
	if _, err := u.Client(); err != nil {
		return usage(err)
	}
	events := newEventPrinter(cmd)
	cfg, err := u.limits.config(cmd, u.outbox)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outboxLosses(u.outbox)) }()

	var refused error
	outbox, err := boxes.Open(cfg)
	if errors.Is(err, boxes.ErrHeld) && len(items) > 0 {
		outbox, refused, err = u.submitBeside(cmd, src, items, cfg, events)
		if outbox == nil {
			return errors.Join(refused, err)
		}
		items = nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outbox.Close()) }()

	if len(items) > 0 {
		if refused, err = accept(cmd, src, items, outbox, events); err != nil {
			return errors.Join(refused, err)
		}
	}

	client, end, err := u.connect(cmd, true, events.hooks())
	if err != nil {
		s := outbox.Stats()
		return errors.Join(fmt.Errorf("%w; %d waiting in %s, safe on disk", err, s.Waiting, u.outbox), damagedRecords(u.outbox, s.Damaged))
	}
	defer func() { err = errors.Join(err, end()) }()
	defer events.mute()
	stop := watchDelivery(outbox, events)
	waiting, err := client.DeliverAll(cmd.Context(), outbox)
	stop()
	if waiting > 0 {
		why := ""
		if cmd.Context().Err() != nil {
			why = "interrupted: "
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s%d waiting in %s, safe on disk; the next delivery goes on with them\n", why, waiting, u.outbox)
	}
	return errors.Join(refused, err)
}

// watchDelivery shows how much of what waits in an outbox has gone, until the returned
// function is called.
func watchDelivery(outbox *mqttv5.Outbox, events *eventPrinter) (stop func()) {
	begun := outbox.Stats()
	meter := progress.NewRecords(screen(true), "delivering", int64(begun.Waiting))
	back := events.under(meter)
	erase := meter.Watch(func() (bytes, records int64) {
		now := outbox.Stats() // others may add to it
		return max(0, begun.Bytes-now.Bytes), max(0, int64(begun.Waiting-now.Waiting))
	})
	return func() {
		erase()
		back()
	}
}

// accept accepts the files and prints their ids. What an outbox cannot take keeps no
// other file back: it is in refused, while err ends the command.
func accept(cmd *cobra.Command, src source, items []item, outbox boxes.Acceptor, events *eventPrinter) (refused, err error) {
	accepted := 0
	for _, it := range items {
		ids, err := src.submit(cmd.Context(), outbox, it.payload)
		for _, id := range ids {
			events.printf("%s: accepted as %s\n", shown(it.name), id)
		}
		if err == nil {
			accepted++
			continue
		}
		if err = fmt.Errorf("%s: %w", it.name, err); errors.Is(err, mqttv5.ErrBadData) {
			refused = errors.Join(refused, err)
			continue
		}
		if len(items) > 1 {
			err = fmt.Errorf("%w (%d of %d files accepted)", err, accepted, len(items))
		}
		return refused, err
	}
	return refused, nil
}

// handoverTime is how long a process that has the outbox open may take to pick up what
// others submit.
const handoverTime = 5 * time.Second

// submitBeside accepts the files while another process delivers. It returns the
// outbox, open, if that process has ended meanwhile, and nil if it sees to them.
func (u *uploader) submitBeside(cmd *cobra.Command, src source, items []item, cfg boxes.Config, events *eventPrinter) (outbox *mqttv5.Outbox, refused, err error) {
	submitter, err := boxes.OpenSubmitter(cfg)
	if err != nil {
		return nil, nil, err
	}
	if refused, err = accept(cmd, src, items, submitter, events); err != nil {
		return nil, refused, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), handoverTime)
	defer cancel()
	outbox, err = submitter.Handover(ctx)
	switch {
	case err != nil:
		// They are accepted, and whoever opens the outbox next delivers them.
		fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", err)
	case outbox == nil:
		fmt.Fprintf(cmd.ErrOrStderr(), "another process has %s open and delivers them\n", u.outbox)
	}
	return outbox, refused, nil
}
