package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/demo"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func newDemo() *cobra.Command {
	var cfg demo.Config
	cmd := &cobra.Command{
		Use:   "demo [--devices N] [--logs N]",
		Short: "Show the whole line on this machine, from device to cloud",
		Long: `demo starts the stand-in cloud on loopback with throwaway certificates, simulates
devices with agents old and new, registers them, uploads their logs and a crash
dump over mutual TLS, waits until the cloud holds every byte, and prints what it
holds. Exit code 0 means that all arrived.

With --ingest two ingest workers take the uploads from the broker into files, and
what is printed is decoded from these.`,
		Example: "  ulogkit demo\n  ulogkit demo --devices 50 --logs 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.Check(); err != nil {
				return usage(err)
			}
			if isatty.IsTerminal(os.Stderr.Fd()) {
				bar := progressbar.NewOptions(cfg.Uploads(), progressbar.OptionSetWriter(cmd.ErrOrStderr()),
					progressbar.OptionSetDescription("uploading"), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
				cfg.Uploaded = func() { bar.Add(1) }
			}
			result, err := demo.Run(cmd.Context(), cfg)
			out := bufio.NewWriter(cmd.OutOrStdout())
			for _, d := range result.Devices {
				if d.Token == 0 {
					continue // not registered before an error
				}
				fmt.Fprintf(out, "%s %s, header version %d, session token %d\n", d.DeviceType, d.DeviceSerial, d.Version, d.Token)
			}
			received := result.Received
			if cfg.Ingest {
				received = result.FromFiles()
			}
			for _, r := range received {
				printDecoded(out, r)
			}
			if err == nil && cfg.Ingest {
				fmt.Fprintf(out, "\n%d messages stored by two ingest workers of one group, each exactly once; the above is read from their files.\n", len(result.Stored))
			}
			if err == nil {
				fmt.Fprintf(out, "\n%s over mutual TLS at %s in %v: %d devices, %d uploads, %d bytes; the far side holds each byte, by SHA-256.\n",
					color.GreenString("All arrived"), result.Broker, result.Elapsed.Round(time.Millisecond), len(result.Devices), result.Confirmed, result.Bytes)
			}
			if e := out.Flush(); e != nil {
				return e
			}
			switch {
			case errors.Is(err, format.ErrTooLong):
				return usage(err)
			case errors.Is(err, demo.ErrLost):
				return err
			}
			return network(err)
		},
	}
	cmd.Flags().BoolVar(&cfg.Ingest, "ingest", false, "store the uploads with two ingest workers, and decode them from their files")
	cmd.Flags().IntVar(&cfg.Devices, "devices", 3, "number of devices")
	cmd.Flags().IntVar(&cfg.Logs, "logs", 2, "number of logs of each device")
	cmd.Flags().IntVar(&cfg.Frames, "frames", 10, "number of frames of each log")
	return cmd
}

// printDecoded prints a message that the cloud holds.
func printDecoded(w io.Writer, r localcloud.Received) {
	fmt.Fprintf(w, "\n%s of %s, %d bytes, sha256 %x...\n", r.Kind, r.DeviceSerial, r.Bytes, r.SHA256[:8])
	if r.Kind == localcloud.KindCoreDump {
		row, _ := inspect.File(r.Topic, r.Payload)
		printRow(w, row)
		return
	}
	if r.Payload == nil {
		fmt.Fprintln(w, "  (the cloud has forgotten the bytes, to bound its memory)")
	}
	for line := range demo.Lines(r.Payload) {
		fmt.Fprintf(w, "  %9s %s module %-2d %s\n", line.When, levelText(line.Level), line.Module, line.Text)
	}
}
