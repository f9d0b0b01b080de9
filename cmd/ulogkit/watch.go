package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5"
)

func newWatchConfig() *cobra.Command {
	var s settings.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "watch-config --customer C --application A --serial S --git-hash H [--json]",
		Short: "Print each change of a device's log level that the cloud sends",
		Long: `watch-config subscribes to the log configuration of a device and prints a line for
each one that the cloud sends, until it is interrupted. It connects again as often
as it takes, and says so on standard error.

With --json there is one JSON object a line, with level, module_flags, modules (the
names, if the cloud sent names) and timeout_seconds (0: until the next).` + settings.Help,
		Example: "  ulogkit watch-config --application 7 --serial SN-1 --git-hash 3f2c9a1\n  ulogkit watch-config --device device-info.bin --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := load(cmd, &s); err != nil {
				return err
			}

			device, err := deviceOf(cmd, &s)
			if err != nil {
				return err
			}
			events := newEventPrinter(cmd)
			client, err := dial(cmd, &s, false, events.hooks())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, client.Close()) }()
			defer events.mute()

			for c, err := range client.WatchLogConfig(cmd.Context(), device) {
				if err != nil {
					return err
				}
				line, err := logConfigLine(c, asJSON)
				if err != nil {
					return err
				}
				events.printf("%s\n", line)
			}

			return nil
		},
	}
	s.AddConnectionFlags(cmd.Flags())
	s.AddDeviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// logConfigLine returns a configuration for a person, or as JSON.
func logConfigLine(c mqttv5.LogConfig, asJSON bool) (string, error) {
	if asJSON {
		b, err := json.Marshal(struct {
			Level   string   `json:"level"`
			Flags   uint32   `json:"module_flags"`
			Modules []string `json:"modules,omitempty"`
			Timeout int64    `json:"timeout_seconds"`
		}{c.Level.String(), c.ModuleFlags, c.Modules, int64(c.Timeout / time.Second)})
		return string(b), err
	}
	line := fmt.Sprintf("level %v, modules 0x%08x", c.Level, c.ModuleFlags)
	if len(c.Modules) > 0 {
		line += fmt.Sprintf(" (%q)", strings.Join(c.Modules, ", "))
	}
	if c.Timeout > 0 {
		return line + fmt.Sprintf(", for %v", c.Timeout), nil
	}
	return line + ", until the next", nil
}
