package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/builds"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/capture"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/wire"
)

// captureFlags are what the command line says about reading a capture.
type captureFlags struct {
	elf         []string
	iface       string
	extract     string
	force       bool
	json        bool
	showSecrets bool
}

func newCapture() *cobra.Command {
	var flags captureFlags
	cmd := &cobra.Command{
		Use:   "capture [--elf FW] [--json] [--extract DIR] (FILE... | --interface NAME)",
		Short: "Show the uLogger traffic in capture files or on an interface",
		Long: `capture reads pcap or pcapng files, packed with gzip, zstd or bzip2 or not, and shows what gateways and broker said to
each other over MQTT: connections, boot handshakes, logs and crash dumps, which
it verifies, and what the broker answered and when. With --elf it also decodes
the logs; with --json a record is then an object of the kind "record", with the keys
of "ulogkit decode --json" and the time, source, destination, topic and packet_id of
the message that it came in. Session tokens, passwords and upload addresses are not
shown unless asked for.

Several FILEs are read as one, by time: those of a capture that was rotated, or of
two hosts. From a pipe, or with --interface (on Linux), it shows what comes as it
comes; an interrupt ends it, with a summary.

What is encrypted cannot be read: record it in plain text with the flag --tap of
"ulogkit upload" or "ulogkit cloud", which writes such a file. If something is
bad, missing in the file or encrypted, the exit code is 1. What is not MQTT does not
count: it is told on stderr and, with --json, in a last object of the kind "summary",
which is there when no other object tells what was left out.`,
		Example: "  tcpdump -i any -w traffic.pcap port 1883\n  ulogkit capture --elf firmware.elf traffic.pcap\n  ulogkit capture --json --extract payloads traffic.pcap\n  tcpdump -i any -U -w - port 1883 | ulogkit capture -",
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.iface != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCapture(cmd, &flags, args)
		},
	}
	cmd.Flags().StringArrayVar(&flags.elf, "elf", nil, "decode the logs with firmware `FW`: ELF file, dictionary, or a directory of them; may be repeated")
	cmd.Flags().StringVar(&flags.iface, "interface", "", "capture on the network interface `NAME`")
	cmd.Flags().StringVar(&flags.extract, "extract", "", "write the payloads into the `DIR`ectory")
	forceFlag(cmd, &flags.force)
	cmd.Flags().BoolVar(&flags.json, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&flags.showSecrets, "show-secrets", false, "show session tokens, passwords and upload addresses")
	return cmd
}

// runCapture prints the messages of captures, or of what is sent at the moment, and
// says at the end what was left out.
func runCapture(cmd *cobra.Command, flags *captureFlags, names []string) (err error) {
	out := bufio.NewWriter(cmd.OutOrStdout())
	defer func() { err = errors.Join(err, out.Flush()) }()

	traffic, err := openTraffic(cmd, flags, names, out.Flush)
	if err != nil {
		return err
	}
	defer traffic.close()

	var extractor *capture.Extractor
	if flags.extract != "" {
		if extractor, err = capture.NewExtractor(flags.extract, flags.force, files.Inputs(slices.Concat(names, flags.elf)...)...); err != nil {
			return err
		}
	}

	decoder, err := captureDecoder(cmd, flags)
	if err != nil {
		return err
	}

	// One of each for all messages: there may be millions, and most are small.
	var (
		m    wire.Message
		row  capture.Row
		line []byte
	)
	name, undecoded := traffic.name, 0
	defer traffic.meter.Done()

	for m = range traffic.All() {
		traffic.meter.Add(0, 1)
		row.Set(&m, flags.showSecrets)
		if extractor != nil {
			if row.File, err = extractor.Write(&m); err != nil {
				return err
			}
		}
		if flags.json {
			printJSON(out, &row)
		} else {
			line = append(row.AppendLine(line[:0]), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		if decoder == nil || m.Kind != wire.KindLog {
			continue
		}
		var records io.Writer = out
		if flags.json {
			if records, err = capture.NewRecords(out, &m); err != nil {
				return err
			}
		}

		where := fmt.Sprintf("%s: log of %s", name, m.Time.UTC().Format("15:04:05.000000"))
		report, err := decoder.Decode(cmd.Context(), name, bytes.NewReader(m.Payload), records)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", where, err)
			undecoded++
		} else if err := report.Write(cmd.ErrOrStderr(), where); err != nil {
			return err
		}
	}

	// An interrupt is how watching ends: what was read until then counts.
	stats, failed := traffic.Stats(), traffic.Err()
	interrupted := errors.Is(failed, context.Canceled)
	if interrupted {
		failed = nil
	}
	if traffic.named {
		name = "" // the errors say which file they are about
	}

	remarks := capture.Remarks(&stats)
	if n := traffic.dropped(); n > 0 {
		remarks = append(remarks, fmt.Sprintf("%d packets dropped by the system, which had no room for them", n))
	}
	if interrupted {
		remarks = append(remarks, "interrupted: "+capture.Summary(&stats))
	}
	withheld := 0
	if extractor != nil {
		if withheld = extractor.Withheld; withheld > 0 {
			remarks = append(remarks, capture.Withheld(withheld))
		}
	}

	for _, remark := range remarks {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", traffic.name, remark)
	}
	failed = named(name, failed)
	verdict := errors.Join(failed, named(traffic.name, capture.Complaint(&stats, undecoded)))
	if failed != nil && stats.Messages == 0 {
		verdict = failed
	}
	if flags.json && (capture.Untold(&stats) || withheld > 0 || undecoded > 0 || failed != nil || interrupted) {
		row, err := capture.SummaryRow(&stats, undecoded, withheld, verdict)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", row)
	}
	return verdict
}

// traffic is what is read, from files, a pipe or an interface.
type traffic struct {
	*wire.Capture
	meter   *progress.Meter
	name    string // of the file, the interface, or how many files
	named   bool   // errors bear the file's name
	close   func() error
	dropped func() int64
}

// openTraffic opens what is to be read. Before that waits, it calls idle.
func openTraffic(cmd *cobra.Command, flags *captureFlags, names []string, idle func() error) (*traffic, error) {
	ctx, config := cmd.Context(), wire.CaptureConfig{ShowSecrets: flags.showSecrets}
	t := &traffic{close: func() error { return nil }, dropped: func() int64 { return 0 }}
	switch {
	case flags.iface != "":
		source, link, err := capture.OpenInterface(ctx, flags.iface, idle)
		if err != nil {
			return nil, err
		}
		t.name, t.Capture, t.dropped = flags.iface, wire.NewCaptureSource(source, link, config), source.Dropped
		return t, nil
	case len(names) > 1 && slices.Contains(names, "-"):
		return nil, usage(errors.New("standard input is read alone: give - or FILE"))
	}

	if len(names) > 1 {
		t.meter = meterOf("reading", true, names, 1)
		var list []wire.File
		for _, name := range names {
			list = append(list, wire.File{Name: name, Open: func() (io.ReadCloser, error) {
				f, err := os.Open(name)
				if err != nil {
					return nil, err
				}
				return struct {
					io.Reader
					io.Closer
				}{t.meter.Reader(capture.Interruptible(ctx, f)), f}, nil
			}})
		}

		c, err := wire.NewCaptureFiles(list, config)
		t.name, t.named, t.Capture = fmt.Sprintf("%d files", len(names)), true, c
		return t, err
	}

	t.name = names[0]
	in := cmd.InOrStdin()
	if t.name != "-" {
		f, err := os.Open(t.name)
		if err != nil {
			return nil, err
		}
		in, t.close = f, f.Close
	}

	f, ok := in.(*os.File)
	if info, err := fileInfo(f); ok && err == nil && info.Mode().IsRegular() {
		t.meter = meterOf("reading", true, names, 1)
		in = t.meter.Reader(capture.Interruptible(ctx, in))
	} else {
		in = capture.NewLive(ctx, in, idle)
	}

	c, err := wire.NewCapture(in, config)
	if err != nil {
		return nil, named(t.name, errors.Join(err, t.close()))
	}
	t.Capture = c
	return t, nil
}

func fileInfo(f *os.File) (os.FileInfo, error) {
	if f == nil {
		return nil, os.ErrInvalid
	}
	return f.Stat()
}

// captureDecoder returns what decodes logs, or nil if no firmware was given.
func captureDecoder(cmd *cobra.Command, flags *captureFlags) (*text.Decoder, error) {
	found, err := builds.Open(builds.Config{Paths: flags.elf, Stderr: cmd.ErrOrStderr()})
	if err != nil || len(found.Dictionaries()) == 0 {
		return nil, err
	}
	return text.NewDecoder(text.Config{JSON: flags.json, Embedded: true, Dictionaries: found.Dictionaries()})
}

func named(name string, err error) error {
	if err != nil && name != "" {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}
