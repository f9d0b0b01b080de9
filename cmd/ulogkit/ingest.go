package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

func newIngest() *cobra.Command {
	var s settings.Settings
	var cfg ingest.Config
	var sink, large, listen string
	var take []string
	var nats sinks.NATS
	cmd := &cobra.Command{
		Use:   "ingest --group G --sink file:DIR|nats://HOST",
		Short: "Take uploads from a broker into durable storage",
		Long: `ingest is a worker that takes the logs, crash dumps, text logs, metrics and events
that gateways upload, behind any --prefix, from a broker and stores them: in files below DIR, or in a JetStream stream with three
replicas. It acknowledges a message when it is durable. All workers with the same
--group share the work, and each needs a --name of its own, for ever: the broker
keeps for it what it had not acknowledged when it crashed.

A certificate's policy may not allow all of these. With --take only what is named is
subscribed to. Without it text logs, metrics and events are left out where the broker
refuses them, which is told, and shown by /healthz.

What is not intact goes to DIR/quarantine, or to a stream that is
called like the other with _QUARANTINE behind it, with the reason; "ulogkit stored"
shows it. A message larger than the NATS servers or the stream take goes to files in
--quarantine-dir. While the sink fails nothing is acknowledged.
The worker ends when it is interrupted; with --leave it then gives up its part in
the group for good.

At --listen there are /metrics for Prometheus and /healthz, which answers 503
while the worker is not connected or its sink fails.` + settings.Help,
		Example: `  ulogkit ingest --group archive --name 1 --sink file:/var/lib/ulogkit --listen 127.0.0.1:9100
  ulogkit ingest --group archive --name 1 --sink file:/var/lib/ulogkit --take log,core-dump
  ulogkit ingest --group archive --name 2 --sink nats://10.0.0.1,nats://10.0.0.2 --nats-creds worker.creds`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// An account's group, which a configuration file may hold, is another.
			if !cmd.Flags().Changed("group") {
				return usage(errors.New("--group is missing; it is the name that the workers share"))
			}
			if sink == "" {
				return usage(errors.New("--sink is missing; it is file:DIR or nats://HOST"))
			}
			if err := load(cmd, &s); err != nil {
				return err
			}

			var err error
			if cfg.Connection, err = s.Client(); err != nil {
				return usage(err)
			}

			for _, name := range take {
				kind, err := ingest.ParseKind(name)
				if err != nil {
					return usage(fmt.Errorf("--take: %w", err))
				}
				cfg.Kinds = append(cfg.Kinds, kind)
			}

			cfg.Group, cfg.Connection.GroupID = cfg.Connection.GroupID, ""
			cfg.Connection.Hooks.Logger = logger(cmd.ErrOrStderr(), slog.LevelInfo)
			return runIngest(cmd, cfg, sink, large, listen, nats)
		},
	}
	s.AddConnectionFlags(cmd.Flags())
	group := cmd.Flags().Lookup("group")
	group.Usage = "the `name` that all workers share; uploads with and without an account's group are taken"
	cmd.Flags().StringVar(&cfg.Name, "name", "", "the worker's own `name`, the same after a restart (default the host's name)")
	cmd.Flags().StringVar(&sink, "sink", "", "where to store: `file:DIR` or nats://HOST, several with commas")
	cmd.Flags().StringSliceVar(&take, "take", nil, "`kinds` of uploads to take, with commas: log, core-dump, text-log, metrics, events (default all that the broker allows)")
	natsFlags(cmd, &nats)
	cmd.Flags().StringVar(&large, "quarantine-dir", "ulogkit-quarantine", "`DIR`ectory for messages that are larger than the NATS servers take")
	cmd.Flags().IntVar(&nats.Replicas, "replicas", 3, "number of servers that keep a stream")
	cmd.Flags().IntVar(&cfg.ReceiveMaximum, "receive-maximum", 128, "the most messages that are not acknowledged at one time")
	cmd.Flags().BoolVar(&cfg.Leave, "leave", false, "when interrupted, leave the group for good")
	cmd.Flags().StringVar(&listen, "listen", "", "`address`, host:port, for metrics and health (default: none)")
	return cmd
}

// natsFlags adds the flags of all who use a stream.
func natsFlags(cmd *cobra.Command, n *sinks.NATS) {
	cmd.Flags().StringVar(&n.Stream, "nats-stream", "ULOGKIT", "`name` of the stream")
	cmd.Flags().StringVar(&n.Credentials, "nats-creds", "", "`file` of credentials for the NATS servers (default: none)")
	cmd.Flags().StringVar(&n.CA, "nats-ca", "", "`file` of the certificate authorities that the NATS servers must have a certificate of (default: the system's)")
}

// natsFiles are the files that these flags name.
func natsFiles(n *sinks.NATS) []files.Input {
	return []files.Input{{Flag: "--nats-creds", Name: n.Credentials}, {Flag: "--nats-ca", Name: n.CA}}
}

// runIngest runs a worker until the context ends.
func runIngest(cmd *cobra.Command, cfg ingest.Config, name, large, listen string, nats sinks.NATS) (err error) {
	ctx := cmd.Context()
	pair, err := sinks.Open(ctx, name, nats, large, cfg.Connection.Hooks.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pair.Close()) }()

	cfg.Sink, cfg.Quarantine = pair.Good, pair.Bad
	worker, err := ingest.New(cfg)
	if err != nil {
		return err
	}
	if listen != "" {
		registry := prometheus.NewRegistry()
		registry.MustRegister(ingest.NewCollector(worker))
		stop, err := serve(cmd, listen, registry, worker)
		if err != nil {
			return err
		}
		defer stop()
	}
	return worker.Run(ctx)
}

// serve serves metrics and health, and says where, until stop is called.
func serve(cmd *cobra.Command, listen string, registry *prometheus.Registry, health http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, &failure{exitNetwork, err}
	}

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /healthz", health)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener) // ends with Shutdown
	}()
	fmt.Fprintf(cmd.ErrOrStderr(), "metrics and health at http://%s\n", listener.Addr())
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		<-done
	}, nil
}
