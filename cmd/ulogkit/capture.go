package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/capture"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/wire"
)

// captureFlags are what the command line says about reading a capture.
type captureFlags struct {
	elf         []string
	extract     string
	force       bool
	json        bool
	showSecrets bool
}

func newCapture() *cobra.Command {
	var flags captureFlags
	cmd := &cobra.Command{
		Use:   "capture [--elf FW] [--json] [--extract DIR] FILE",
		Short: "Show the uLogger traffic in a capture file",
		Long: `capture reads a pcap or pcapng file and shows what gateways and broker said to
each other over MQTT: connections, boot handshakes, logs and crash dumps, which
it verifies, and what the broker answered and when. With --elf it also decodes
the logs; with --json a record is then an object of the kind "record", with the keys
of "ulogkit decode --json" and the time, source, destination, topic and packet_id of
the message that it came in. Session tokens, passwords and upload addresses are not
shown unless asked for.

What is encrypted cannot be read: record it in plain text with the flag --tap of
"ulogkit upload" or "ulogkit cloud", which writes such a file. If something is
bad, missing in the file or encrypted, the exit code is 1.`,
		Example: "  tcpdump -i any -w traffic.pcap port 1883\n  ulogkit capture --elf firmware.elf traffic.pcap\n  ulogkit capture --json --extract payloads traffic.pcap",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCapture(cmd, &flags, args[0])
		},
	}
	cmd.Flags().StringArrayVar(&flags.elf, "elf", nil, "decode the logs with firmware `FW`: ELF file, dictionary, or a directory of them; may be repeated")
	cmd.Flags().StringVar(&flags.extract, "extract", "", "write the payloads into the `DIR`ectory")
	forceFlag(cmd, &flags.force)
	cmd.Flags().BoolVar(&flags.json, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&flags.showSecrets, "show-secrets", false, "show session tokens, passwords and upload addresses")
	return cmd
}

func runCapture(cmd *cobra.Command, flags *captureFlags, name string) (err error) {
	var in io.Reader = cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	traffic, err := wire.NewCapture(in, wire.CaptureConfig{ShowSecrets: flags.showSecrets})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var extractor *capture.Extractor
	if flags.extract != "" {
		if extractor, err = capture.NewExtractor(flags.extract, flags.force); err != nil {
			return err
		}
	}
	decoder, err := captureDecoder(cmd, flags)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	defer func() { err = errors.Join(err, out.Flush()) }()
	undecoded := 0
	for m := range traffic.All() {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		row := capture.NewRow(&m, flags.showSecrets)
		if extractor != nil {
			if row.File, err = extractor.Write(&m); err != nil {
				return err
			}
		}
		if flags.json {
			printJSON(out, row)
		} else {
			fmt.Fprintln(out, row.Line())
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
	stats := traffic.Stats()
	for _, remark := range capture.Remarks(&stats) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, remark)
	}
	if extractor != nil && extractor.Withheld > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, capture.Withheld(extractor.Withheld))
	}
	verdict := errors.Join(named(name, traffic.Err()), named(name, capture.Complaint(&stats, undecoded)))
	if err := traffic.Err(); err != nil && stats.Messages == 0 {
		verdict = named(name, err)
	}
	withheld := 0
	if extractor != nil {
		withheld = extractor.Withheld
	}
	if flags.json && (capture.Untold(&stats) || withheld > 0 || undecoded > 0 || traffic.Err() != nil) {
		row, err := capture.SummaryRow(&stats, undecoded, withheld, verdict)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n", row)
	}
	return verdict
}

// captureDecoder returns what decodes logs, or nil if no firmware was given.
func captureDecoder(cmd *cobra.Command, flags *captureFlags) (*text.Decoder, error) {
	builds, err := openBuilds(flags.elf, cmd.ErrOrStderr())
	if err != nil || len(builds.dicts) == 0 {
		return nil, err
	}
	return text.NewDecoder(text.Config{JSON: flags.json, Embedded: true, Dictionaries: builds.dicts})
}

func named(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
