package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/fleet"
	exporting "github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

func newExport() *cobra.Command {
	var s settings.Settings
	var cfg exporting.Config
	var where fleet.Config
	var from, listen, headersFile string
	var headers []string
	var nats sinks.NATS
	var follow bool
	cmd := &cobra.Command{
		Use:   "export --from SINK --otlp URL --elf-dir DIR",
		Short: "Send what was ingested to an OTLP backend",
		Long: `export reads what "ulogkit ingest" has stored in SINK, file:DIR or nats://HOST,
decodes it and sends it to an OpenTelemetry receiver at URL over HTTP: records of
logs, crash dumps, lines of text logs and events as log records, metric frames and
reported metrics as metrics, one resource for each device. A stream is taken with whatever settings it has, and never made.

A log tells no more of its device than a session token. Those in the file of
--store, which "ulogkit upload" and "ulogkit register" keep, name the device by its
serial number and git hash; the device type and version are those that the firmware's
dictionary tells. A device whose token is not there, or no longer its current one,
is called "session TOKEN". The file is only read, and read again when it changes; one
that is not there yet is told. ULOGKIT_STORE and a line of the configuration file name
it as well as --store does.

The firmware of a log is that of the git hash, if it is in DIR, and else the one in
DIR, of its ELF files and dictionaries, whose format strings fit the log's records.
Where several fit equally, those are named, and the records that they read differently
counted. A log of which there is none is sent with addresses and arguments.

What was sent is remembered in the file of --position, so that the next export
goes on there; without an entry in it, all is sent. The file names the sink and the
receiver: with another one, when SINK ends before it, or when SINK was put back as it
was earlier, nothing is sent and the exit code is 1. After a crash some records may be sent twice, and none is left out.

A receiver that is away is tried again, with
--follow for ever, else for as long as --timeout says. A refusal ends the export at
once, and so does an answer that is no receipt of the protocol. In both cases the exit
code is 3, and nothing is lost. A request that is too large, or that holds a record
which the receiver refuses, is sent in parts; the record goes to the position's file
with .refused behind its name.

Messages that are not intact, which SINK holds if it is a quarantine, are left out;
"ulogkit stored" gets them. Exit code 1 also means that there were such messages, that
the receiver rejected or refused records, or that SINK has lost some of those that are
due and nobody has accepted it with "ulogkit stored --accept-loss".

Headers for the receiver also come from OTEL_EXPORTER_OTLP_HEADERS, name=value with
commas between, and from the file of --headers-file, a "Name: value" a line; the
arguments of a process are no place for a password.

At --listen there are /metrics for Prometheus and /healthz, which answers 503
while the receiver takes nothing.`,
		Example: `  ulogkit export --from file:/var/lib/ulogkit --otlp http://localhost:4318 --elf-dir builds/
  ulogkit export --from nats://10.0.0.1 --position otlp.position --otlp https://otlp.example.com \
    --header 'Authorization: Bearer TOKEN' --elf-dir builds/ \
    --follow --listen 127.0.0.1:9101`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || cfg.URL == "" {
				return usage(errors.New("give --from and --otlp"))
			}
			var err error
			if cfg.Headers, err = exporting.Headers(os.Getenv, headersFile, headers); err != nil {
				return usage(err)
			}
			if cfg.BatchRecords < 1 || cfg.BatchBytes < 1 {
				return usage(errors.New("--batch-records and --batch-bytes must be larger than 0"))
			}
			if cfg.GiveUp <= 0 {
				return usage(fmt.Errorf("--timeout %v is not longer than 0", cfg.GiveUp))
			}
			if err := load(cmd, &s); err != nil {
				return err
			}
			cfg.Logger = logger(cmd.ErrOrStderr(), slog.LevelInfo)
			where.Logger, where.NoStore = cfg.Logger, where.Store == settings.NoStore
			devices, err := fleet.Open(where)
			if err != nil {
				return err
			}
			cfg.Device, cfg.Choose = devices.Device, devices.Choose
			used := append(append(s.Files(), settings.TokenFiles(where.Store)...), natsFiles(&nats)...)
			used = append(used, files.Input{Flag: "--headers-file", Name: headersFile}, files.Input{Flag: "--elf-dir", Name: where.Dictionaries})
			return runExport(cmd, cfg, from, listen, nats, follow, used)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`SINK` to read: file:DIR or nats://HOST")
	cmd.Flags().StringVar(&cfg.URL, "otlp", "", "`URL` of the receiver, without /v1/logs")
	cmd.Flags().StringVar(&where.Dictionaries, "elf-dir", "", "`DIR`ectory of ELF files and dictionaries")
	cmd.Flags().StringVar(&where.Store, "store", "", "`file` of session tokens, to name devices by, of ulogkit or of the vendor's library, or none (default ulogkit/session_tokens.json in $XDG_STATE_HOME or ~/.local/state, then ~/.ulogger/session_tokens.json)")
	cmd.Flags().StringVar(&cfg.PositionFile, "position", "", "`file` that keeps the position (default: one for each receiver in DIR for file:DIR)")
	cmd.Flags().IntVar(&cfg.BatchRecords, "batch-records", 1000, "send a request when it has so many records or data points")
	cmd.Flags().IntVar(&cfg.BatchBytes, "batch-bytes", 4<<20, "send a request when its records have so many bytes")
	cmd.Flags().BoolVar(&cfg.AcceptEmpty, "accept-empty", false, "take an empty answer for a receipt, as Prometheus gives it")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "`'Name: value'` to send along; may be repeated")
	cmd.Flags().StringVar(&headersFile, "headers-file", "", "`file` of headers to send along, a 'Name: value' a line")
	natsFlags(cmd, &nats)
	cmd.Flags().StringVar(&listen, "listen", "", "`address`, host:port, for metrics and health (default: none)")
	cmd.Flags().BoolVar(&follow, "follow", false, "go on as more is stored, until interrupted")
	cmd.Flags().DurationVar(&cfg.GiveUp, "timeout", 2*time.Minute, "without --follow, give up when the receiver takes nothing for so long")
	return cmd
}

// runExport exports and prints what was done.
func runExport(cmd *cobra.Command, cfg exporting.Config, from, listen string, nats sinks.NATS, follow bool, used []files.Input) (err error) {
	source, err := sinks.Read(cmd.Context(), from, nats)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()

	cfg.Source = source
	if cfg.PositionFile == "" && source.Dir != "" {
		cfg.PositionFile = exporting.DefaultPosition(source.Dir, cfg.URL)
	}
	if cfg.PositionFile == "" {
		return usage(errors.New("--position is missing; it names the file that remembers what was sent"))
	}

	if err := positionApart(cfg.PositionFile, from, used); err != nil {
		return err
	}
	exporter, err := exporting.New(cfg)
	if err != nil {
		return err
	}
	if listen != "" {
		registry := prometheus.NewRegistry()
		registry.MustRegister(exporting.NewCollector(exporter))
		stop, err := serve(cmd, listen, registry, exporter)
		if err != nil {
			return err
		}
		defer stop()
	}

	run := exporter.Drain
	if follow {
		run = exporter.Run
	}

	stopMeter := func() {}
	if !follow {
		stopMeter = watchExport(cmd.Context(), exporter, source)
	}

	err = run(cmd.Context())
	stopMeter()
	if err != nil {
		return err
	}
	st := exporter.Stats()
	fmt.Fprintf(cmd.OutOrStdout(), "%d messages exported: %d log records, %d data points\n", st.Messages, st.LogRecords, st.DataPoints)
	for _, c := range [...]struct {
		n    uint64
		what string
	}{
		{uint64(st.Undecoded), "log records without a format string, as address and arguments"},
		{uint64(st.Ambiguous), "records read differently in another build that fits as well; the builds are named above"},
		{uint64(st.Missing), "frames are missing, by their sequence numbers; they never arrived, or are in another worker's SINK"},
		{uint64(st.Quarantined), "messages left out, since they are not intact; they stay in SINK, and \"ulogkit stored --extract\" gets them"},
		{uint64(st.Rejected), "records rejected by the receiver"},
		{uint64(st.SetAside), "records refused by the receiver, set aside in " + cfg.PositionFile + ".refused"},
		{st.Lost, "records lost in the sink"},
		{uint64(st.Uncounted), "losses in the sink of which it is not known how many records they were"},
	} {
		if c.n > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d %s\n", c.n, c.what)
		}
	}

	if st.Lost > 0 || st.Uncounted > 0 || st.Rejected > 0 || st.SetAside > 0 || st.Quarantined > 0 {
		return errors.New("not everything was exported")
	}
	return nil
}

// positionApart reports whether what an export writes beside its position, and the
// position itself, are none of the files that it reads.
func positionApart(name, from string, used []files.Input) error {
	for _, out := range [...]files.Output{
		{Flag: "--position", Name: name}, {Flag: "the position's lock", Name: name + ".lock"}, {Flag: "the position's refused records", Name: name + ".refused"},
	} {
		if err := out.Apart(used...); err != nil {
			return err
		}
		if sinks.Own(from, out.Name) {
			return usage(fmt.Errorf("%s has a name that the sink uses itself; name another file", &out))
		}
	}
	return nil
}

// watchExport shows how far an export is until the returned function is called.
func watchExport(ctx context.Context, e *exporting.Exporter, source ingest.Source) (stop func()) {
	to := screen(false)
	if to == nil {
		return func() {}
	}
	total := int64(-1)
	if extent, err := source.Extent(ctx); err == nil && !extent.Uncounted {
		total = int64(extent.Next - min(extent.Next, max(extent.First, e.Stats().Position)))
	}
	return progress.NewRecords(to, "exporting", total).Watch(func() (bytes, records int64) { return 0, int64(e.Stats().Messages) })
}
