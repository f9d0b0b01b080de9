package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
	"github.com/ulogkit/ulogkit/format/dict"
)

func newDictionary() *cobra.Command {
	var id dict.ID
	var asCSV, ofSample bool
	out := files.Output{Flag: "--output", Mine: dict.IsDictionary}
	cmd := &cobra.Command{
		Use:   "dictionary [--csv] -o FILE FW|--sample",
		Short: "Write the format strings of a firmware, to decode without it",
		Long: `dictionary writes the strings, module names and source lines of the firmware FW to
a small file that "ulogkit decode --elf" takes in its place, so that the firmware
itself need not be handed out. With --csv it is a table of the strings alone.
FW may be such a file itself. With --sample it is the firmware of the devices
that "ulogkit sample" simulates.`,
		Example: "  ulogkit dictionary --git-version v1.4.0 -o v1.4.0.json firmware.elf\n  ulogkit dictionary --csv -o - firmware.elf | column -s, -t",
		Args: func(cmd *cobra.Command, args []string) error {
			if ofSample {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.Check(files.Inputs(args...)...); err != nil {
				return err
			}

			load := sample.Dictionary
			if !ofSample {
				load = func() (*dict.Dictionary, error) { return dict.Load(args[0]) }
			}
			// How much of a firmware has been read is not known before all of it is.
			var written atomic.Int64
			stop := progress.New(screen(out.Name == "-"), "reading, then writing", -1).Watch(func() (bytes, records int64) { return written.Load(), 0 })
			defer stop()
			d, err := load()
			if err != nil {
				return err
			}

			for _, field := range []struct{ flag, own *string }{
				{&id.GitHash, &d.ID.GitHash}, {&id.Version, &d.ID.Version}, {&id.DeviceType, &d.ID.DeviceType},
			} {
				if *field.flag != "" {
					*field.own = *field.flag
				}
			}

			if err := out.Apart(files.Inputs(d.Beside()...)...); err != nil {
				return err
			}
			write := d.WriteJSON
			if asCSV {
				write = d.WriteCSV
			}
			n, err := out.WriteFrom(func(w io.Writer) error { return write(countingWriter{w, &written}) }, cmd.OutOrStdout())
			stop()
			if err == nil && n > dict.MaxDictionary {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: has %d bytes, more than the %d MiB that are read of a dictionary: give the firmware itself to --elf\n", out.Name, n, dict.MaxDictionary>>20)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "a table of addresses, strings and source lines")
	cmd.Flags().BoolVar(&ofSample, "sample", false, "the firmware of the devices that sample simulates")
	cmd.Flags().StringVar(&id.GitHash, "git-hash", "", "`hash` of the commit that the firmware was built from")
	cmd.Flags().StringVar(&id.Version, "git-version", "", "`version` of the firmware")
	cmd.Flags().StringVar(&id.DeviceType, "device-type", "", "`type` of the devices that run it")
	outputFlag(cmd, &out)
	return cmd
}

// countingWriter counts what is written.
type countingWriter struct {
	io.Writer
	n *atomic.Int64
}

func (c countingWriter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}
