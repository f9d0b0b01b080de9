package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/demo"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/format"
)

func newDemo() *cobra.Command {
	var cfg demo.Config
	cmd := &cobra.Command{
		Use:   "demo [--devices N] [--logs N]",
		Short: "Show the whole line on this machine, from device to cloud",
		Long: `demo starts the stand-in cloud on loopback with throwaway certificates, simulates
devices with agents old and new, registers them, uploads their logs and a crash
dump over mutual TLS, waits until the cloud holds every byte, and prints what it
holds of each device: its logs as "ulogkit decode" shows them, and why it crashed.
Exit code 0 means that all arrived.

With --ingest two ingest workers take the uploads from the broker into files, and
what is printed is decoded from these.`,
		Example: "  ulogkit demo\n  ulogkit demo --devices 50 --logs 20",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.Check(); err != nil {
				return usage(err)
			}
			meter := progress.NewRecords(screen(false), "uploading", int64(cfg.Uploads()))
			cfg.Uploaded = func() { meter.Add(0, 1) }
			result, err := demo.Run(cmd.Context(), cfg)
			meter.Done()
			out := bufio.NewWriter(cmd.OutOrStdout())
			for _, h := range result.Holdings() {
				if e := printHolding(cmd.Context(), out, &h); e != nil {
					return e
				}
			}
			if err == nil && cfg.Ingest {
				fmt.Fprintf(out, "%d messages stored by two ingest workers of one group, each exactly once; the above is read from their files.\n", len(result.Stored))
			}
			if err == nil {
				fmt.Fprintf(out, "%s over mutual TLS at %s in %v: %d devices, %d uploads, %d bytes; the far side holds each byte, by SHA-256.\n",
					color.GreenString("All arrived"), result.Broker, result.Elapsed.Round(time.Millisecond), len(result.Devices), result.Confirmed, result.Bytes)
			}

			if e := out.Flush(); e != nil {
				return e
			}
			if errors.Is(err, format.ErrTooLong) {
				return usage(err) // too many --frames
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&cfg.Ingest, "ingest", false, "store the uploads with two ingest workers, and decode them from their files")
	cmd.Flags().IntVar(&cfg.Devices, "devices", 3, "number of devices")
	cmd.Flags().IntVar(&cfg.Logs, "logs", 2, "number of logs of each device")
	cmd.Flags().IntVar(&cfg.Frames, "frames", 10, "number of frames of each log")
	return cmd
}

// printHolding prints what the far side holds of a device.
func printHolding(ctx context.Context, w io.Writer, h *demo.Holding) error {
	fmt.Fprintf(w, "%s %s, header version %d, session token %d: %d logs\n", h.DeviceType, h.DeviceSerial, h.Version, h.Token, h.NumLogs)
	if h.Forgotten > 0 {
		fmt.Fprintf(w, "(the cloud has forgotten the bytes of %d, to bound its memory)\n", h.Forgotten)
	}

	// An interruption has ended the uploads; what arrived before is shown whole.
	if err := h.Decode(context.WithoutCancel(ctx), w, !color.NoColor); err != nil {
		return err
	}
	defer fmt.Fprintln(w)
	if h.Dump == nil {
		return nil
	}
	row, err := inspect.Explain(h.DeviceSerial, h.Dump, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s has crashed; its dump of %d bytes says:\n", h.DeviceSerial, len(h.Dump))
	for _, reason := range row.Fault.Reasons {
		fmt.Fprintf(w, "  %s\n", color.RedString(reason))
	}

	fmt.Fprintf(w, "  With the firmware, %q also tells which functions were running.\n", "ulogkit crash --elf")
	return nil
}
