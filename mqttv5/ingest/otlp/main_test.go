package otlp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// receiver is an OTLP receiver over HTTP that checks the protobuf.
type receiver struct {
	t   testing.TB
	srv *httptest.Server

	mu       sync.Mutex
	script   []func(http.ResponseWriter)  // answers to come; then 200
	refuse   func(body []byte) (code int) // 0 to take it
	requests int
	headers  []http.Header
	logs     []*logs.ResourceLogs
	metrics  []*metrics.ResourceMetrics
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{t: t}
	r.srv = httptest.NewServer(r)
	t.Cleanup(r.srv.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.headers = append(r.headers, req.Header.Clone())

	if r.refuse != nil {
		if code := r.refuse(body); code != 0 {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.WriteHeader(code)
			w.Write([]byte("\x12\x0bbad request")) // Status{message}
			return
		}
	}

	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/x-protobuf" {
		r.t.Errorf("got %s with content type %q, want POST with application/x-protobuf", req.Method, req.Header.Get("Content-Type"))
	}
	if len(r.script) > 0 {
		answer := r.script[0]
		r.script = r.script[1:]
		if answer != nil {
			answer(w)
			return
		}
	}

	switch req.URL.Path {
	case "/v1/logs":
		var m logs.LogsData
		if err := proto.Unmarshal(body, &m); err != nil || len(m.ProtoReflect().GetUnknown()) > 0 {
			r.t.Errorf("got a request for logs with error %v or unknown fields, want neither", err)
		}
		r.logs = append(r.logs, m.ResourceLogs...)
	case "/v1/metrics":
		var m metrics.MetricsData
		if err := proto.Unmarshal(body, &m); err != nil || len(m.ProtoReflect().GetUnknown()) > 0 {
			r.t.Errorf("got a request for metrics with error %v or unknown fields, want neither", err)
		}
		r.metrics = append(r.metrics, m.ResourceMetrics...)
	default:
		r.t.Errorf("got a request to %s, want /v1/logs or /v1/metrics", req.URL.Path)
	}

	w.Header().Set("Content-Type", "application/x-protobuf")
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, "not today\x1b")
	}
}

// bodies returns the texts of all log records.
func (r *receiver) bodies() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rl := range r.logs {
		for _, sl := range rl.ScopeLogs {
			for _, rec := range sl.LogRecords {
				all = append(all, rec.Body.GetStringValue())
			}
		}
	}
	return all
}

// attributes returns attributes by name.
func attributes(list []*common.KeyValue) map[string]*common.AnyValue {
	all := map[string]*common.AnyValue{}
	for _, kv := range list {
		all[kv.Key] = kv.Value
	}
	return all
}

func instance(r *resource.Resource) string {
	return attributes(r.Attributes)["service.instance.id"].GetStringValue()
}

// memorySource is a sink in memory that can be read.
type memorySource struct {
	records []ingest.Record
	lost    map[uint64]bool
	id      string
	first   uint64 // records that were removed
}

func (s *memorySource) add(r ingest.Record) {
	r.Sequence = uint64(len(s.records) + 1)
	s.records = append(s.records, r)
}

func (s *memorySource) Extent(context.Context) (ingest.Extent, error) {
	return ingest.Extent{ID: s.id, Name: "sink in memory", First: s.first + 1, Next: uint64(len(s.records) + 1)}, nil
}

func (s *memorySource) Read(_ context.Context, from uint64) (ingest.Reader, error) {
	return &memoryReader{s, max(from, 1)}, nil
}

type memoryReader struct {
	s    *memorySource
	next uint64
}

func (r *memoryReader) Next(context.Context) (ingest.Record, error) {
	if r.next > uint64(len(r.s.records)) {
		return ingest.Record{}, ingest.ErrEnd
	}
	r.next++
	if r.s.lost[r.next-1] {
		return ingest.Record{}, &ingest.LossError{First: r.next - 1, Last: r.next - 1, Err: io.ErrUnexpectedEOF}
	}
	return r.s.records[r.next-2], nil
}

func (r *memoryReader) Close() error { return nil }

var received = time.Unix(1_800_000_000, 0)

// logRecord returns a stored log of these frames.
func logRecord(t testing.TB, n int, version uint8, token uint32, frames ...*format.Record) ingest.Record {
	t.Helper()
	b, err := format.NewLogBuilder(version)
	if err != nil {
		t.Fatal(err)
	}
	b.SessionToken, b.Tick, b.TickRateHz = token, 32768*100, 32768
	for _, f := range frames {
		if err := b.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Record{Time: received, Kind: ingest.KindLog, Topic: "binlog/v0/7/G/42", Payload: log, Key: ingest.Key{byte(n), byte(n >> 8)}}
}

func say(n int) *format.Record {
	return &format.Record{Level: format.LevelInfo, FmtAddr: 0x1000, TickDelta: 32768, Sequence: uint16(n), Args: []format.Arg{format.ArgI32(int32(n))}}
}

func newExporter(t testing.TB, cfg Config) *Exporter {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.minWait, e.maxWait, e.poll = time.Millisecond, 5*time.Millisecond, time.Millisecond
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return e
}

func bodiesOf(first, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("0x00001000 %d", first+i))
	}
	return all
}

// lockedSource is a memorySource that grows while it is read.
type lockedSource struct {
	mu sync.Mutex
	memorySource
}

func (s *lockedSource) add(r ingest.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memorySource.add(r)
}

func (s *lockedSource) Read(ctx context.Context, from uint64) (ingest.Reader, error) {
	return &lockedReader{s, &memoryReader{&s.memorySource, max(from, 1)}}, nil
}

func (s *lockedSource) Extent(ctx context.Context) (ingest.Extent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memorySource.Extent(ctx)
}

type lockedReader struct {
	s *lockedSource
	r *memoryReader
}

func (r *lockedReader) Next(ctx context.Context) (ingest.Record, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.r.Next(ctx)
}

func (r *lockedReader) Close() error { return nil }
