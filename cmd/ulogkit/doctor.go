package main

import (
	"errors"
	"fmt"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5"
)

func newDoctor() *cobra.Command {
	var s settings.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor --customer C --application A --serial S --git-hash H [--json]",
		Short: "Find out what keeps an upload from working",
		Long: `doctor checks, one after the other, what an upload needs: the configuration, the
certificate and the key, the clock, the name of the broker, TLS and login, the
broker's limits, the session token, whether the cloud answers on topics with a group
or without, and the rights to the topics. It prints a line
for each, with the remedy if it is not good; what depends on a check that failed is
left out. It publishes nothing but boot requests, and keeps the token that it gets.
The exit code is 3 when a check failed.

With --json there is one JSON object a line, with check, ok, detail and remedy.` + settings.Help,
		Example: "  ulogkit doctor --application 7 --serial SN-1 --git-hash 3f2c9a1\n  ulogkit doctor --device device-info.bin --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := load(cmd, &s); err != nil {
				return err
			}

			device, err := deviceOf(cmd, &s)
			if err != nil {
				return err
			}

			cfg, err := s.Client()
			if err != nil {
				return usage(err)
			}
			cfg.Hooks.Event = tellNotices(cmd)
			if cfg.Store, err = s.Store(warnings(cmd)); err != nil {
				return err
			}
			failed := 0
			for f := range mqttv5.Diagnose(cmd.Context(), cfg, device) {
				if !f.OK {
					failed++
				}
				if asJSON {
					printJSON(cmd.OutOrStdout(), findingJSON(f))
				} else {
					fmt.Fprintln(cmd.OutOrStdout(), findingLine(f))
				}
			}

			switch {
			case cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case failed > 0:
				return &failure{exitNetwork, errors.New("not all is well")}
			}

			return nil
		},
	}
	s.AddConnectionFlags(cmd.Flags())
	s.AddDeviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// findingJSON has the keys of "doctor --json".
type findingJSON struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

func findingLine(f mqttv5.Finding) string {
	if f.OK {
		return fmt.Sprintf("%s %s: %s", color.GreenString("good"), f.Check, asFlags(printable(f.Detail)))
	}
	return fmt.Sprintf("%s %s: %s; %s", color.RedString("bad "), f.Check, asFlags(printable(f.Detail)), asFlags(printable(f.Remedy)))
}
