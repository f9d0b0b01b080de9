package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// request is what is sent in one piece: the records of logs, or the data points of
// metrics.
type request struct {
	path  string
	count int // of records or points
	body  proto.Message
	// part returns a request of the records from first up to end.
	part func(first, end int) request
}

// logsRequest makes a request of log records.
func logsRequest(d *logs.LogsData) request {
	r := request{path: "/v1/logs", body: d}
	for _, rl := range d.ResourceLogs {
		for _, sl := range rl.ScopeLogs {
			r.count += len(sl.LogRecords)
		}
	}
	r.part = func(first, end int) request {
		out, at := &logs.LogsData{}, 0
		for _, rl := range d.ResourceLogs {
			for _, sl := range rl.ScopeLogs {
				if own := cut(sl.LogRecords, &at, first, end); len(own) > 0 {
					out.ResourceLogs = append(out.ResourceLogs, &logs.ResourceLogs{
						Resource: rl.Resource, ScopeLogs: []*logs.ScopeLogs{{Scope: sl.Scope, LogRecords: own}},
					})
				}
			}
		}
		return logsRequest(out)
	}
	return r
}

// metricsRequest makes a request of the data points of gauges.
func metricsRequest(d *metrics.MetricsData) request {
	r := request{path: "/v1/metrics", body: d}
	for _, rm := range d.ResourceMetrics {
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				r.count += len(m.GetGauge().GetDataPoints())
			}
		}
	}

	r.part = func(first, end int) request {
		out, at := &metrics.MetricsData{}, 0
		for _, rm := range d.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				var own []*metrics.Metric
				for _, m := range sm.Metrics {
					if points := cut(m.GetGauge().GetDataPoints(), &at, first, end); len(points) > 0 {
						own = append(own, &metrics.Metric{Name: m.Name, Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{DataPoints: points}}})
					}
				}
				if len(own) > 0 {
					out.ResourceMetrics = append(out.ResourceMetrics, &metrics.ResourceMetrics{
						Resource: rm.Resource, ScopeMetrics: []*metrics.ScopeMetrics{{Scope: sm.Scope, Metrics: own}},
					})
				}
			}
		}

		return metricsRequest(out)
	}
	return r
}

// cut returns what of list lies between first and end, counted from *at on, which
// moves behind list.
func cut[T any](list []T, at *int, first, end int) []T {
	from, to := max(first-*at, 0), min(end-*at, len(list))
	*at += len(list)
	if from >= to {
		return nil
	}
	return list[from:to]
}

// deliver sends a request, in parts if the receiver does not want it whole, and
// returns how many of its records were taken. A single record that the receiver does
// not want is set aside.
func (e *Exporter) deliver(ctx context.Context, r request) (taken int, err error) {
	answer, err := e.post(ctx, r.path, r.body)
	if err == nil {
		e.takes = true
		return r.count - e.rejected(answer, r.count), nil
	}

	refused := (*refusal)(nil)
	if !errors.As(err, &refused) || !refused.divisible() {
		return 0, err
	}

	if r.count > 1 {
		taken, err = e.deliver(ctx, r.part(0, r.count/2))
		if err != nil {
			return taken, err
		}
		more, err := e.deliver(ctx, r.part(r.count/2, r.count))
		return taken + more, err
	}

	// A receiver that has not taken anything yet may refuse everything, and then the
	// fault is not this record's. A request of none is valid, and costs nothing.
	if !e.takes {
		if _, probe := e.post(ctx, r.path, r.part(0, 0).body); probe != nil {
			return 0, err
		}
		e.takes = true
	}
	return 0, e.setAside(r, refused)
}

// divisible reports whether the refusal may be about one of the records, or about
// how many they are.
func (r *refusal) divisible() bool {
	return r.status == http.StatusBadRequest || r.status == http.StatusRequestEntityTooLarge
}

// setAside keeps a record that the receiver does not want, with its reason, in the
// file of Config.RefusedFile, a JSON object a line; the request in it can be sent as
// it stands, with the content type application/json.
func (e *Exporter) setAside(r request, why *refusal) error {
	e.stats.SetAside++
	e.cfg.Logger.Error("receiver does not take a record; it is set aside", "path", r.path, "error", why, "file", e.cfg.RefusedFile)
	if e.cfg.RefusedFile == "" {
		return nil
	}

	body, err := protojson.Marshal(r.body)
	if err != nil {
		return fmt.Errorf("set a refused record aside: %w", err)
	}
	line := fmt.Appendf(nil, `{"time":%q,"url":%q,"reason":%s,"request":%s}`+"\n",
		time.Now().UTC().Format(time.RFC3339Nano), e.cfg.URL+r.path, quoted(why.Error()), body)
	if err := appendFile(e.cfg.RefusedFile, line); err != nil {
		return fault.InClass(fault.ErrStorage, fmt.Errorf("set a refused record aside: %w", err))
	}
	return nil
}

// appendFile adds lines to a file of our own, which only its owner may read, and has
// the disk keep them. Half of a line, as a full disk or a crash leaves it, must not
// take the next one with it: it is taken back, or else ended first.
func appendFile(name string, lines []byte) error {
	info, err := os.Lstat(name)
	made := errors.Is(err, os.ErrNotExist)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is a %s", name, durable.Kind(info))
	case err != nil && !made:
		return err
	}

	flags := os.O_APPEND | os.O_RDWR
	if made {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}

	end, err := f.Seek(0, io.SeekEnd)
	if last := []byte{'\n'}; err == nil && end > 0 {
		if _, err = f.ReadAt(last, end-1); last[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	if err == nil {
		if _, err = f.Write(lines); err != nil {
			f.Truncate(end)
		}
	}

	if err = errors.Join(err, f.Sync(), f.Close()); err == nil && made {
		err = durable.SyncDir(filepath.Dir(name))
	}
	return err
}
