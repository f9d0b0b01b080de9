package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
)

func newSample() *cobra.Command {
	var version uint8
	var frames uint
	var seed uint64
	var lowest string
	out := files.Output{Flag: "--output", Mine: sample.Mine}
	var versions []string
	for _, v := range sample.Versions() {
		versions = append(versions, strconv.Itoa(int(v)))
	}

	cmd := &cobra.Command{
		Use:   "sample [--version " + strings.Join(versions, "|") + "] [--frames N] [--seed S] [--level L] -o FILE",
		Short: "Write a valid log for tests and load",
		Long: `sample writes the log of a simulated device: a boot banner, measurements, trouble
and metrics, with every type of argument. The same flags give the same bytes.
The session token is 0, as in a log that no gateway has seen; a version 4 header has
the time, of a device that booted on 2024-11-28.`,
		Example: "  ulogkit sample -o sample.bin\n  ulogkit sample --version 1 --frames 500 --seed 7 --level warning -o - | ulogkit inspect --frames -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			level, err := parseLevel("level", lowest)
			if err != nil {
				return usage(err)
			}
			if err := out.Check(); err != nil {
				return err
			}

			device, err := sample.NewDevice(version, seed)
			if err != nil {
				return usage(fmt.Errorf("--version %d: %w", version, err))
			}
			b, err := device.Log(int(min(frames, math.MaxInt)), level)
			if err != nil {
				return usage(fmt.Errorf("--frames: %w", err))
			}
			return out.Write(b, cmd.OutOrStdout())
		},
	}
	cmd.Flags().Uint8Var(&version, "version", 3, "header `version`: "+strings.Join(versions, ", "))
	cmd.Flags().UintVar(&frames, "frames", 20, "number of frames")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "another `seed` gives another device")
	cmd.Flags().StringVar(&lowest, "level", "debug", "lowest `level` to record: debug, info, warning, error, critical or metric")
	outputFlag(cmd, &out)
	return cmd
}

// outputFlag adds the flags that name the file to write.
func outputFlag(cmd *cobra.Command, out *files.Output) {
	cmd.Flags().StringVarP(&out.Name, "output", "o", "", "`FILE` to write")
	cmd.MarkFlagRequired("output")
	forceFlag(cmd, &out.Force)
}

func forceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "replace files that this command has not written")
}
