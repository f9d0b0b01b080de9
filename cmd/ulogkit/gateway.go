package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/gateway"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/spool"
)

// gatewayFlags are the command's flags.
type gatewayFlags struct {
	settings.Settings
	outbox    string
	limits    outboxLimits
	spool     string
	keep      bool
	listen    string
	onConfig  string
	configDir string
}

func newGateway() *cobra.Command {
	var g gatewayFlags
	cmd := &cobra.Command{
		Use:   "gateway --outbox DIR [--spool DIR] [--listen ADDR] [--on-config CMD]",
		Short: "Deliver an outbox without end, and take files from a folder into it",
		Long: `gateway delivers what waits in an outbox and what comes into it, until it is
interrupted: through outages, renewed certificates and restarts of the broker. An
interruption loses nothing, and the exit code is 0. An outbox that another process
has open, as an upload does, is waited for, up to ten minutes. One that has lost
records to damage is said at the start and is exit code 1 at the end; see "outbox".

With --spool it takes in the files that programs put into a folder, by renaming them
into it when they are whole: logs and crash dumps, and text whose name ends in .txt or
.ndjson. They are of the device that the flags name, or, in a subfolder, of the one
that its device.json (application, serial, device_type, git_version, git_hash) or its
device.bin, as the device sends it over BLE, names. A crash dump names its device
itself. A file that was accepted is removed, or with --keep moved to done; one that
is bad goes to bad with its reason beside it, and the others go on.

With --config-dir each log configuration that the cloud sends for one of these devices
is written to SERIAL.json there; with --on-config a command of the shell is run for it,
with the same JSON on standard input and ULOGKIT_SERIAL, ULOGKIT_LEVEL,
ULOGKIT_MODULE_FLAGS, ULOGKIT_MODULES and ULOGKIT_TIMEOUT_SECONDS in its environment.

At --listen there are /metrics for Prometheus and /healthz, which answers 503 while
records wait and there is no connection.` + settings.Help,
		Example: `  ulogkit gateway --outbox /var/lib/ulogkit/outbox --spool /var/spool/ulogkit --listen 127.0.0.1:9101
  ulogkit gateway --outbox ./outbox --serial SN-1 --application 7 --git-hash 3f2c9a1 \
    --on-config ./set-level.sh`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := load(cmd, &g.Settings); err != nil {
				return err
			}
			return g.run(cmd)
		},
	}
	g.AddConnectionFlags(cmd.Flags())
	g.AddDeviceFlags(cmd.Flags())
	cmd.Flags().BoolVar(&g.AllowNoSubscriber, "allow-no-subscriber", false, "take it as done when the broker says that nobody is subscribed")
	outboxFlag(cmd, &g.outbox)
	g.limits.addFlags(cmd)
	cmd.Flags().StringVar(&g.spool, "spool", "", "take in the files that are put into `DIR`")
	cmd.Flags().BoolVar(&g.keep, "keep", false, "move accepted files of --spool to done instead of removing them")
	cmd.Flags().StringVar(&g.listen, "listen", "", "`address`, host:port, for metrics and health (default: none)")
	cmd.Flags().StringVar(&g.onConfig, "on-config", "", "`command` of the shell for each change of a device's log configuration")
	cmd.Flags().StringVar(&g.configDir, "config-dir", "", "write each device's newest log configuration into `DIR`")
	return cmd
}

// named returns the device that the flags name, if they name one.
func (g *gatewayFlags) named(cmd *cobra.Command) ([]device.Info, error) {
	for _, flag := range []string{"serial", "application", "git-hash", "device"} {
		if cmd.Flags().Changed(flag) {
			dev, err := deviceOf(cmd, &g.Settings)
			return []device.Info{dev}, err
		}
	}
	return nil, nil
}

// checkSpool refuses a spool in which the gateway would write, or find, files that it
// uses itself: it would take them away.
func (g *gatewayFlags) checkSpool() error {
	spool, err := os.Stat(g.spool)
	if err != nil {
		return nil // there is none
	}
	taken := func(flag string) error {
		return fmt.Errorf("--spool %s is a folder of %s, whose files it would take away; name another one", g.spool, flag)
	}
	if boxes.Holds(g.outbox, g.spool) {
		return taken("--outbox")
	}
	if dir, err := os.Stat(g.configDir); err == nil && os.SameFile(spool, dir) {
		return taken("--config-dir")
	}

	for _, in := range g.Files() {
		if base := filepath.Base(in.Name); base == "device.bin" || base == "device.json" {
			continue // of a device's folder, which is read and stays
		}
		names := []string{in.Name}
		if target, err := filepath.EvalSymlinks(in.Name); err == nil {
			names = append(names, target)
		}
		for _, name := range names {
			if (&files.Output{Name: name}).Apart(files.Input{Name: g.spool, Folder: true}) != nil {
				return fmt.Errorf("%s is in --spool %s, which would take it away; move one of them", in, g.spool)
			}
		}
	}
	return nil
}

// run opens the outbox and what leads into it, and delivers until it is interrupted.
func (g *gatewayFlags) run(cmd *cobra.Command) (err error) {
	devices, err := g.named(cmd)
	if err != nil {
		return err
	}
	if _, err := g.Client(); err != nil {
		return usage(err)
	}

	for _, dir := range []string{g.spool, g.configDir} {
		if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
			return usage(errors.Join(fmt.Errorf("%s is no folder", dir), err))
		}
		if err := inspect.OtherFile(dir, "a folder for files"); err != nil {
			return usage(fmt.Errorf("%s %w", printable(dir), err)) // its own files would be taken away
		}
	}

	if err := errors.Join(g.checkSpool(), outboxApart(g.outbox, g.Files())); err != nil {
		return usage(err)
	}

	limits, err := g.limits.config(cmd, g.outbox)
	if err != nil {
		return err
	}
	outbox, err := gateway.OpenOutbox(cmd.Context(), limits)
	if err != nil {
		if cmd.Context().Err() != nil {
			return nil // interrupted while it waited: nothing was begun
		}
		return errors.Join(err, outboxLosses(g.outbox))
	}

	if loss := errors.Join(damagedRecords(g.outbox, outbox.Stats().Damaged), outboxLosses(g.outbox)); loss != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), loss)
	}
	defer func() {
		damaged := outbox.Stats().Damaged
		err = errors.Join(err, outbox.Close(), damagedRecords(g.outbox, damaged), outboxLosses(g.outbox))
	}()

	// The client tells the gateway of its events, and the gateway the spool of its
	// devices: each is called when all of them are there.
	var gw *gateway.Gateway
	events := newEventPrinter(cmd)
	hooks := mqttv5.Hooks{Event: func(e mqttv5.Event) {
		events.print(e)
		gw.Event(e)
	}}
	client, err := dial(cmd, &g.Settings, true, hooks)
	if err != nil {
		return fmt.Errorf("%w; %d waiting in %s, safe on disk", err, outbox.Stats().Waiting, g.outbox)
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	cfg := gateway.Config{
		Client: client, Outbox: outbox, Devices: devices, ConfigDir: g.configDir, OnConfig: g.onConfig, Logger: warnings(cmd),
	}
	if g.spool != "" {
		spoolConfig := spool.Config{
			Dir: g.spool, Keep: g.keep, Logger: warnings(cmd),
			Found: func(dev device.Info) { gw.Watch(dev) },
			Accepted: func(name string, ids []string) {
				for _, id := range ids {
					events.printf("%s: accepted as %s\n", shown(name), id)
				}
			},
		}
		if len(devices) > 0 {
			spoolConfig.Device = devices[0]
		}

		if cfg.Spool, err = spool.New(spoolConfig, outbox); err != nil {
			return usage(err)
		}
	}
	if gw, err = gateway.New(cfg); err != nil {
		return err
	}

	if g.listen != "" {
		registry := prometheus.NewRegistry()
		registry.MustRegister(gateway.NewCollector(gw))
		stop, err := serve(cmd, g.listen, registry, gw)
		if err != nil {
			return err
		}
		defer stop()
	}

	err = gw.Run(cmd.Context())
	events.mute()
	if waiting := outbox.Stats().Waiting; waiting > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d waiting in %s, safe on disk; the next delivery goes on with them\n", waiting, g.outbox)
	}
	return err
}
