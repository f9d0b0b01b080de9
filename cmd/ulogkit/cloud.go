package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/fatih/color"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func newCloud() *cobra.Command {
	var cfg localcloud.Config
	var verbose, strict, silentBoot bool
	var logLevel string
	var tap tapFile
	cmd := &cobra.Command{
		Use:   "cloud [--listen ADDR] [--dir DIR]",
		Short: "Run the stand-in cloud, to develop firmware and gateways against",
		Long: `cloud runs an MQTT broker and a stand-in for the uLogger cloud on loopback until
it is interrupted. It gives tokens to devices that boot, and checks what it
receives and writes it below DIR, where it also keeps its throwaway certificates.
It takes logs, crash dumps, text logs, metrics, events and firmware, over MQTT 5 and
3.1.1, which the vendor's library speaks. It prints a command line that uploads to
it, then a line for each message: good, bad, or a duplicate of one that came before.
One on a topic that the cloud does not have is bad, and its line says what is wrong
with it. A log whose session token it has not given out is refused, as after a
restart; the gateway is then to register the device anew. A client that is sent away
gets a line on standard error.

It also writes DIR/ulogkit.conf, a configuration file for the other commands.

With --strict it also holds each client to the limits of AWS IoT Core, which the
real cloud seems to run on: what is too fast is lost without an answer, what is too
large or not allowed ends the connection, and each is said on standard error.`,
		Example: "  ulogkit cloud --listen 127.0.0.1:8883 --dir ./cloud\n  ulogkit cloud --strict --verbose",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			out := cmd.OutOrStdout()
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}

			cfg.Logger = logger(cmd.ErrOrStderr(), level)
			if logLevel != "" {
				level, err := parseLevel("log-level", logLevel)
				if err != nil {
					return usage(err)
				}
				cfg.LogConfig = mqttv5.LogConfig{Level: level, ModuleFlags: math.MaxUint32}.Binary()
			}

			// The command line that it prints works in any folder.
			if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
				return err
			}

			var mu sync.Mutex
			cfg.OnReceive = func(r localcloud.Received) {
				mu.Lock()
				defer mu.Unlock()
				printReceived(out, r)
			}
			if strict {
				cfg.Strict = localcloud.AWS()
			}

			cfg.Strict.CheckTokens, cfg.Strict.SilentBoot = true, silentBoot
			if err := tap.check(cloudFiles(cfg.Dir)...); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, tap.close()) }()

			tap.tell = cmd.ErrOrStderr()
			cfg.WrapConn = tap.server()
			cloud, err := localcloud.Start(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cloud.Close()) }()

			config, err := writeCloudConfig(cloud, cfg)
			if err != nil {
				return err
			}
			mu.Lock()
			printHowTo(out, cloud, cfg, config)
			mu.Unlock()
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&cfg.Listen, "listen", "127.0.0.1:8883", "loopback `ADDR`ess, host:port; port 0 takes a free one")
	cmd.Flags().StringVar(&cfg.Dir, "dir", "ulogkit-cloud", "`DIR`ectory for what is received and for the certificates")
	cmd.Flags().StringVar(&cfg.CustomerID, "customer", "", "the only customer `id` to serve (default: any)")
	cmd.Flags().StringVar(&cfg.Prefix, "prefix", "", "what stands before every `topic`, such as ulogger/, as behind the bridge of a local broker")
	cmd.Flags().BoolVar(&cfg.Plaintext, "insecure-plaintext", false, "no TLS")
	cmd.Flags().BoolVar(&strict, "strict", false, "hold clients to the limits of AWS IoT Core")
	cmd.Flags().BoolVar(&silentBoot, "silent-boot", false, "answer no boot request, to see what a gateway makes of that")
	cmd.Flags().StringVar(&logLevel, "log-level", "", "send this log `level` to each device, or gateway, that subscribes to its log configuration")
	tap.addFlag(cmd.Flags())
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log connections to standard error")
	return cmd
}

// printHowTo prints a command line that uploads to the cloud.
// With the configuration file, all commands reach it.
func printHowTo(w io.Writer, cloud *localcloud.Cloud, cfg localcloud.Config, config string) {
	fmt.Fprintf(w, "Listening on %s. To upload a log:\n\n", cloud.Addr())
	if config != "" {
		defer fmt.Fprintf(w, "For all commands: export ULOGKIT_CONFIG=%s\n\n", shellWord(config))
	}
	fmt.Fprintf(w, "  ulogkit upload --broker %s --customer %s --application 7 --serial SN-1 --git-hash 3f2c9a1 \\\n", cloud.Addr(), shellWord(cmp.Or(cfg.CustomerID, "42")))
	if cfg.Plaintext {
		fmt.Fprintf(w, "    --insecure-plaintext FILE\n\n")
		return
	}
	fmt.Fprintf(w, "    --ca %s --cert %s --key %s FILE\n\n", shellWord(cloud.CAFile()), shellWord(cloud.CertFile()), shellWord(cloud.KeyFile()))
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+:@%,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func printReceived(w io.Writer, r localcloud.Received) {
	state := color.GreenString("good")
	switch {
	case r.Err != nil:
		state = color.RedString("bad: %s", printable(r.Err.Error()))
	case r.Duplicate:
		state = color.YellowString("duplicate")
	}
	whose := strconv.Quote(r.DeviceSerial)
	if len(r.Devices) > 1 {
		whose = fmt.Sprintf("%d devices", len(r.Devices))
	}
	fmt.Fprintf(w, "%s %s of %s, %d bytes, %s %s\n", r.Time.Format(time.TimeOnly), r.Kind, whose, r.Bytes, state, r.File)
}
