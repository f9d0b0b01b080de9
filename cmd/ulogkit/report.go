package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/reports"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/times"
	"github.com/ulogkit/ulogkit/mqttv5"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// reportHelp is what the help of metric and event have in common.
const reportHelp = `

Without arguments, or with -, it reads lines of JSON from standard input and sends
them in batches, each of which the cloud takes as a whole or not at all. A line is
what one device reports, %s
or several of them, {"device_serial": "SN-1", %q: [...]}. A line may have its own
"app_id". A line that the cloud could not use is told on standard error and left
out, and the exit code is 1; so is what of a line has no place in a report.

With --outbox what is given is first kept on disk and then delivered, as with
"ulogkit upload"; it then has the time at which it was given, if it has none of its
own. Without a certificate but with an API token it goes over HTTP.`

func newMetric() *cobra.Command {
	return newReport(telemetry.KindMetrics, &cobra.Command{
		Use:   "metric NAME=VALUE... | metric < LINES",
		Short: "Publish numbers that devices measured",
		Long: `metric publishes numbers that a device measured and waits until the cloud has
confirmed them.` + fmt.Sprintf(reportHelp, `{"device_serial": "SN-1", "name": "temperature", "value": 21.5, "timestamp": 1732829000},`, "metrics"),
		Example: `  ulogkit metric --application 7 --serial SN-1 temperature=21.5 humidity=40
  ulogkit metric --application 7 --outbox ./outbox < readings.ndjson`,
	}, func(args []string, t time.Time) ([]telemetry.Metric, error) {
		metrics := make([]telemetry.Metric, len(args))
		for i, arg := range args {
			name, value, ok := strings.Cut(arg, "=")
			x, err := strconv.ParseFloat(value, 64)
			if !ok || err != nil {
				return nil, fmt.Errorf("%q is not NAME=VALUE with a number", arg)
			}
			if !reports.Exact(value) {
				return nil, fmt.Errorf("%q: a value has 53 bits; the nearest is %s", arg, strconv.FormatFloat(x, 'f', 0, 64))
			}
			metrics[i] = telemetry.Metric{Name: name, Value: x, Time: t}
		}
		return metrics, nil
	})
}

func newEvent() *cobra.Command {
	return newReport(telemetry.KindEvents, &cobra.Command{
		Use:   "event TYPE... | event < LINES",
		Short: "Publish what happened to devices",
		Long: `event publishes what happened to a device and waits until the cloud has confirmed
it.` + fmt.Sprintf(reportHelp, `{"device_serial": "SN-1", "type": "door", "timestamp": 1732829000},`, "events"),
		Example: `  ulogkit event --application 7 --serial SN-1 door-opened
  ulogkit event --application 7 < events.ndjson`,
	}, func(args []string, t time.Time) ([]telemetry.Event, error) {
		events := make([]telemetry.Event, len(args))
		for i, arg := range args {
			events[i] = telemetry.Event{Type: arg, Time: t}
		}
		return events, nil
	})
}

func newHeartbeat() *cobra.Command {
	cmd := newReport(telemetry.KindMetrics, &cobra.Command{
		Use:   "heartbeat",
		Short: "Publish that a device is alive",
		Long: `heartbeat publishes the metric heartbeat=1 of a device, as its own firmware would,
and waits until the cloud has confirmed it. With --outbox it is kept on disk first.
Without a certificate but with an API token it goes over HTTP.`,
		Example: "  ulogkit heartbeat --application 7 --serial SN-1",
	}, func(_ []string, t time.Time) ([]telemetry.Metric, error) {
		return []telemetry.Metric{telemetry.Heartbeat(t)}, nil
	})
	cmd.Args = cobra.NoArgs
	return cmd
}

// reporter is the flags of a command that reports.
type reporter[S telemetry.Sample] struct {
	uploader
	time     string
	compress string
}

// newReport makes a command that reports samples, which it reads from its arguments.
func newReport[S telemetry.Sample](kind telemetry.Kind, cmd *cobra.Command, read func(args []string, t time.Time) ([]S, error)) *cobra.Command {
	r := &reporter[S]{}
	single := cmd.Name() == "heartbeat"
	cmd.Long += settings.Help
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := load(cmd, &r.Settings); err != nil {
			return err
		}
		var stdin []string
		given := single || len(args) > 0 && args[0] != "-"
		if !given {
			stdin = []string{"-"}
		}
		if err := r.apart(stdin...); err != nil {
			return err
		}

		how, err := parseCompression(r.compress)
		if err != nil {
			return usage(err)
		}
		if given {
			return r.one(cmd, kind, args, read)
		}
		return r.many(cmd, kind, args, how)
	}
	r.AddConnectionFlags(cmd.Flags())
	r.AddAPIFlags(cmd.Flags())
	r.AddDeviceFlags(cmd.Flags())
	cmd.Flags().StringVar(&r.time, "time", "", "`time` of what is reported, as 2026-11-28T12:00:00Z or in seconds since 1970 (default: that of arrival)")
	if !single {
		cmd.Flags().StringVar(&r.compress, "compress", "auto", "`when` to compress a batch: auto is above 1,024 bytes, or always, or never")
	}
	r.addFlags(cmd)
	return cmd
}

func parseCompression(s string) (telemetry.Compression, error) {
	switch s {
	case "", "auto":
		return telemetry.CompressAuto, nil
	case "always":
		return telemetry.CompressAlways, nil
	case "never":
		return telemetry.CompressNever, nil
	}
	return 0, fmt.Errorf("--compress %q: not auto, always or never", s)
}

// one reports what the arguments say of one device.
func (r *reporter[S]) one(cmd *cobra.Command, kind telemetry.Kind, args []string, read func([]string, time.Time) ([]S, error)) error {
	device, err := r.Reporter(cmd.Flags())
	if err != nil {
		return usage(err)
	}

	var t time.Time // none
	if r.time != "" {
		if t, err = times.Parse(r.time); err != nil {
			return usage(fmt.Errorf("--time: %w", err))
		}
	}
	samples, err := read(args, t)
	if err != nil {
		return usage(err)
	}
	b, err := telemetry.Encode(device.DeviceSerial, samples)
	if err != nil {
		return usage(err)
	}

	src := &reportSource{
		publish: func(ctx context.Context, client *mqttv5.Client) (mqttv5.Receipt, error) {
			switch s := any(samples).(type) {
			case []telemetry.Metric:
				return client.PublishMetrics(ctx, device, s)
			case []telemetry.Event:
				return client.PublishEvents(ctx, device, s)
			}
			return mqttv5.Receipt{}, nil
		},
		accept: func(ctx context.Context, to boxes.Acceptor) (string, error) {
			return boxes.SubmitReport(ctx, to, device, samples)
		},
	}
	return r.run(cmd, kind, device.ApplicationID, src, []item{{string(kind), b}}, telemetry.CompressNever)
}

// reportSource hands out reports, whatever the payload: what was read into samples
// keeps its types.
type reportSource struct {
	publish func(context.Context, *mqttv5.Client) (mqttv5.Receipt, error)
	accept  func(context.Context, boxes.Acceptor) (string, error)
}

func (*reportSource) prepare(_ string, b []byte) ([]byte, error) { return b, nil }

func (*reportSource) needsToken() bool { return false }

func (s *reportSource) send(ctx context.Context, client *mqttv5.Client, _ []byte) ([]mqttv5.Receipt, error) {
	return one(s.publish(ctx, client))
}

func (s *reportSource) submit(ctx context.Context, to boxes.Acceptor, _ []byte) ([]string, error) {
	return one(s.accept(ctx, to))
}

// many reports what lines of standard input say of many devices.
func (r *reporter[S]) many(cmd *cobra.Command, kind telemetry.Kind, args []string, how telemetry.Compression) error {
	if len(args) > 1 || r.time != "" {
		return usage(errors.New("standard input comes alone: each line has its own device and time"))
	}

	application, err := r.Application(cmd.Flags())
	if err != nil {
		return usage(err)
	}

	text, err := files.Read("-", cmd.InOrStdin())
	if err != nil {
		return err
	}
	batches, partly, bad := reports.Read[S](text)
	if bad != nil {
		bad = fmt.Errorf("%w; the other lines were taken", bad)
	} else if len(batches) == 0 {
		return errors.New("nothing was sent: standard input is empty; give a line of JSON for each of " + string(kind))
	}

	var items []item
	for i, batch := range batches {
		b, err := telemetry.EncodeBatch(batch)
		if err != nil {
			return err
		}
		items = append(items, item{fmt.Sprintf("batch %d of %s", i+1, kind), b})
	}

	next := 0 // items are dealt with in order
	take := func() []telemetry.Device[S] {
		next++
		return batches[next-1]
	}
	src := &reportSource{
		publish: func(ctx context.Context, client *mqttv5.Client) (mqttv5.Receipt, error) {
			switch d := any(take()).(type) {
			case []telemetry.Device[telemetry.Metric]:
				return client.PublishMetricsBatch(ctx, application, d, how)
			case []telemetry.Device[telemetry.Event]:
				return client.PublishEventsBatch(ctx, application, d, how)
			}
			return mqttv5.Receipt{}, nil
		},
		accept: func(ctx context.Context, to boxes.Acceptor) (string, error) {
			return boxes.SubmitBatch(ctx, to, application, take(), how)
		},
	}
	return errors.Join(r.run(cmd, kind, application, src, items, how), partly, bad)
}

// run sends reports, the way that the settings ask for.
func (r *reporter[S]) run(cmd *cobra.Command, kind telemetry.Kind, application uint32, src source, items []item, how telemetry.Compression) error {
	api, ok := r.API()
	switch {
	case ok && r.outbox != "":
		return usage(errors.New("an outbox is delivered over MQTT; give --cert and --key"))
	case ok:
		for i, it := range items {
			if err := api.Send(cmd.Context(), kind, application, it.payload, how); err != nil {
				return inClass(mqttv5.ErrNetwork, fmt.Errorf("%s: %w (%d of %d confirmed)", it.name, err, i, len(items)))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes confirmed over HTTP\n", shown(it.name), len(it.payload))
		}
		return nil
	case len(items) == 0:
		return nil
	case r.outbox != "":
		return r.deliver(cmd, src, items)
	}
	return r.send(cmd, src, items)
}
