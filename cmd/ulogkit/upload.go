package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

func newUpload() *cobra.Command {
	var s settings.Settings
	var core string
	var tap tapFile
	cmd := &cobra.Command{
		Use:   "upload FILE... | upload --core FILE",
		Short: "Upload logs or a crash dump to the cloud",
		Long: `upload takes binary logs, or with --core a crash dump, to the cloud and waits
until the cloud has confirmed each. For logs it gets the device's session token,
by the boot handshake if it has none yet, and writes it into what it sends; the
files stay as they are.

All files are checked before anything is sent, and if one is bad nothing is.` + settings.Help,
		Example: `  ulogkit upload --customer 42 --cert gateway.crt --key gateway.key \
    --application 7 --serial SN-1 --device-type lamp --git-version v1.0.0 --git-hash 3f2c9a1 log.bin
  ulogkit upload --core core.bin`,
		Args: func(_ *cobra.Command, args []string) error {
			if (core == "") == (len(args) == 0) {
				return errors.New("give the logs to upload, or --core and a crash dump")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.Load(cmd.Flags(), os.Getenv); err != nil {
				return usage(err)
			}
			if core != "" {
				return uploadCore(cmd, &s, &tap, core)
			}
			return uploadLogs(cmd, &s, &tap, args)
		},
	}
	s.AddConnectionFlags(cmd.Flags())
	s.AddDeviceFlags(cmd.Flags())
	cmd.Flags().StringVar(&core, "core", "", "upload the crash dump `FILE`")
	tap.addFlag(cmd.Flags())
	return cmd
}

func uploadCore(cmd *cobra.Command, s *settings.Settings, tap *tapFile, name string) error {
	payloads, err := readGood(cmd, []string{name}, format.CheckCoreDump)
	if err != nil {
		return err
	}
	return send(cmd, s, tap, []string{name}, payloads, false, func(ctx context.Context, client *mqttv5.Client, b []byte) (mqttv5.Receipt, error) {
		return client.PublishCoreDump(ctx, b)
	})
}

func uploadLogs(cmd *cobra.Command, s *settings.Settings, tap *tapFile, names []string) error {
	device, err := deviceOf(cmd, s)
	if err != nil {
		return err
	}
	payloads, err := readGood(cmd, names, format.CheckLog)
	if err != nil {
		return err
	}
	return send(cmd, s, tap, names, payloads, true, func(ctx context.Context, client *mqttv5.Client, b []byte) (mqttv5.Receipt, error) {
		return client.UploadLog(ctx, device, b)
	})
}

// readGood returns the content of the files if all are good.
func readGood(cmd *cobra.Command, names []string, check func([]byte) error) ([][]byte, error) {
	payloads := make([][]byte, len(names))
	var bad []error
	for i, name := range names {
		b, err := files.Read(name, cmd.InOrStdin())
		if err == nil {
			err = check(b)
		}
		if err != nil {
			bad = append(bad, fmt.Errorf("nothing was sent: %s: %w", name, err))
		}
		payloads[i] = b
	}
	return payloads, errors.Join(bad...)
}

// send uploads the files over one connection and prints a line for each one
// that was confirmed.
func send(cmd *cobra.Command, s *settings.Settings, tap *tapFile, names []string, payloads [][]byte, withStore bool,
	upload func(context.Context, *mqttv5.Client, []byte) (mqttv5.Receipt, error),
) (err error) {
	if err := tap.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tap.close()) }()
	client, err := dial(s, withStore, tap.client())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network(client.Close())) }()
	for i, name := range names {
		receipt, err := upload(cmd.Context(), client, payloads[i])
		if err != nil {
			if len(names) > 1 {
				err = fmt.Errorf("%w (%d of %d files confirmed)", err, i, len(names))
			}
			return network(fmt.Errorf("%s: %w", name, err))
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes confirmed on %s after %v\n", name, receipt.Bytes, receipt.Topic, receipt.Latency.Round(100*time.Microsecond)); err != nil {
			return err
		}
		if receipt.Code == mqttv5.ReasonNoMatchingSubscribers {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: the broker took it, but nobody was subscribed to %s\n", name, receipt.Topic)
		}
	}
	return nil
}
