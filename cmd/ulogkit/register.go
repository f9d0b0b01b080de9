package main

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5"
)

func newRegister() *cobra.Command {
	var s settings.Settings
	cmd := &cobra.Command{
		Use:   "register --customer C --application A --serial S --git-hash H [--device FILE]",
		Short: "Register a device with the cloud and print its session token",
		Long: `register runs the boot handshake for a device, prints the session token that the
cloud gives it and keeps the token for uploads. It always asks the cloud.` + settings.Help,
		Example: `  ulogkit register --customer 42 --cert gateway.crt --key gateway.key \
    --application 7 --serial SN-1 --device-type lamp --git-version v1.0.0 --git-hash 3f2c9a1
  ulogkit register --device device-info.bin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := load(cmd, &s); err != nil {
				return err
			}

			device, err := deviceOf(cmd, &s)
			if err != nil {
				return err
			}

			var lost atomic.Bool
			tell := tellNotices(cmd)
			client, err := dial(cmd, &s, true, mqttv5.Hooks{Event: func(e mqttv5.Event) {
				if e.Kind == mqttv5.EventNotice {
					lost.Store(true)
				}
				tell(e)
			}})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, client.Close()) }()

			token, err := client.GetSessionToken(cmd.Context(), device)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), token); err != nil {
				return err
			}
			if lost.Load() {
				return &failure{exitData, errors.New("the token is not kept: the next upload registers the device anew")}
			}
			return nil
		},
	}
	s.AddConnectionFlags(cmd.Flags())
	s.AddDeviceFlags(cmd.Flags())
	return cmd
}

// load reads the environment and the configuration file.
func load(cmd *cobra.Command, s *settings.Settings) error {
	return usage(s.Load(cmd.Flags(), os.Getenv, func(err error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
	}))
}

// deviceOf returns the device that the settings name.
func deviceOf(cmd *cobra.Command, s *settings.Settings) (mqttv5.DeviceInfo, error) {
	device, err := s.Device(cmd.Flags())
	if err != nil {
		return mqttv5.DeviceInfo{}, usage(err)
	}
	return device, nil
}

// dial returns a client of the cloud that the settings name, with or without
// a file of tokens. It connects on first use.
func dial(cmd *cobra.Command, s *settings.Settings, withStore bool, hooks mqttv5.Hooks) (*mqttv5.Client, error) {
	cfg, err := s.Client()
	if err != nil {
		return nil, usage(err)
	}
	if hooks.Event == nil {
		hooks.Event = tellNotices(cmd)
	}
	cfg.Hooks = hooks
	if withStore {
		if cfg.Store, err = s.Store(warnings(cmd)); err != nil {
			return nil, err
		}
	}
	client, err := mqttv5.New(cfg)
	return client, err
}
