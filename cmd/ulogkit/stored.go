package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// storedFlags are what the command line says about reading a sink.
type storedFlags struct {
	from    string
	nats    sinks.NATS
	extract string
	force   bool
	json    bool
	accept  bool // losses
}

func newStored() *cobra.Command {
	var flags storedFlags
	cmd := &cobra.Command{
		Use:   "stored --from SINK [--extract DIR] [--accept-loss] [--json]",
		Short: "List what was ingested, and what is in quarantine",
		Long: `stored lists the messages that "ulogkit ingest" has stored in SINK, file:DIR or
nats://HOST, and then those in its quarantine, DIR/quarantine or the stream that is
called like the other with _QUARANTINE behind it: when each was received, what it is,
its topic and size, and of one in quarantine the reason. With --extract the payloads
become files, byte for byte, for inspect, decode, crash or upload, text logs .ndjson,
metrics and events .json or .json.gz; those of the
quarantine are called quarantine-. They hold session tokens, so that only their owner
can read them. A file that is there and holds something else is left alone, and with
--force replaced; a symbolic link never is followed.

All that is stored is listed, also copies of one message; with --json they have the
same key. Workers may be writing to SINK, in which nothing is changed. Exit code 1 means
that SINK has lost records; each command says so until --accept-loss has been given
once, which lists them and takes them as seen. Where a whole file of SINK is lost, and
with it how many records it had, the number from which on they are lost is told.`,
		Example: `  ulogkit stored --from file:/var/lib/ulogkit --extract payloads
  ulogkit stored --from file:/var/lib/ulogkit --json | jq 'select(.reason)'
  ulogkit stored --from nats://10.0.0.1 --nats-stream FLEET`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.from == "" {
				return usage(errors.New("--from is missing; it is file:DIR or nats://HOST"))
			}
			return runStored(cmd, &flags)
		},
	}
	cmd.Flags().StringVar(&flags.from, "from", "", "`SINK` to read: file:DIR or nats://HOST")
	natsFlags(cmd, &flags.nats)
	cmd.Flags().StringVar(&flags.extract, "extract", "", "write the payloads into the `DIR`ectory")
	forceFlag(cmd, &flags.force)
	cmd.Flags().BoolVar(&flags.accept, "accept-loss", false, "take the losses that are listed as seen, for this and other commands")
	cmd.Flags().BoolVar(&flags.json, "json", false, "one JSON object a line")
	return cmd
}

// runStored prints what a sink holds.
func runStored(cmd *cobra.Command, flags *storedFlags) (err error) {
	out := bufio.NewWriter(cmd.OutOrStdout())
	defer func() { err = errors.Join(err, out.Flush()) }()
	if err := sinks.CheckQuarantine(flags.from); err != nil {
		return err
	}
	name, nats := sinks.Quarantine(flags.from, flags.nats)
	if flags.extract != "" && sinks.Holds(name, flags.extract) {
		// No worker could make its quarantine in a folder of other files.
		return usage(fmt.Errorf("--extract %s is the quarantine of the sink that is read; name another folder", flags.extract))
	}

	var lost lostRecords
	if err := flags.list(cmd, out, flags.from, flags.nats, "", &lost); err != nil {
		return err
	}
	err = flags.list(cmd, out, name, nats, "quarantine-", &lost)
	if err != nil && !sinks.Missing(err) { // nothing but a worker makes one
		return err
	}
	return lost.err()
}

// lostRecords are those that a sink has lost and nobody has accepted.
type lostRecords struct {
	counted   uint64
	uncounted int // losses of which nobody knows how many records they were
}

func (l *lostRecords) add(loss *ingest.LossError) {
	if loss.Uncounted {
		l.uncounted++
		return
	}
	l.counted += loss.Last - loss.First + 1
}

func (l *lostRecords) err() error {
	switch {
	case l.uncounted > 0 && l.counted > 0:
		return fmt.Errorf("%d records lost in the sink, and more, how many is not known", l.counted)
	case l.uncounted > 0:
		return errors.New("records lost in the sink, how many is not known")
	case l.counted > 0:
		return fmt.Errorf("%d records lost in the sink", l.counted)
	}
	return nil
}

// list prints what a sink holds, and writes it to files that are called prefix and
// so on. It adds to lost what the sink has lost.
func (f *storedFlags) list(cmd *cobra.Command, out *bufio.Writer, name string, nats sinks.NATS, prefix string, lost *lostRecords) (err error) {
	source, err := sinks.Read(cmd.Context(), name, nats)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()

	r, err := source.Read(cmd.Context(), 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()

	if f.extract != "" {
		if sinks.Holds(name, f.extract) {
			return usage(fmt.Errorf("--extract %s is the sink that is read; name another folder", f.extract))
		}
		if err := files.MakeDir(f.extract); err != nil {
			return err
		}
	}
	meter := f.meter(cmd.Context(), source)
	var bytes, records atomic.Int64
	defer meter.Watch(func() (int64, int64) { return bytes.Load(), records.Load() })()
	stderr := meter.Above(cmd.ErrOrStderr())
	var seen []ingest.LossError
	for {
		record, err := r.Next(cmd.Context())
		loss := (*ingest.LossError)(nil)
		switch {
		case errors.Is(err, ingest.ErrEnd):
			if len(seen) > 0 {
				return sinks.AcceptLosses(name, seen)
			}
			return nil
		case errors.As(err, &loss):
			out.Flush() // an error stays in it
			note := ""
			switch {
			case loss.Accepted:
				note = " (accepted)"
			case f.accept:
				seen = append(seen, *loss)
			default:
				lost.add(loss)
			}
			fmt.Fprintf(stderr, "%v%s\n", err, note)
			continue
		case err != nil:
			return err
		}

		row := newStoredRow(&record)
		if f.extract != "" {
			if row.File, err = f.write(&record, prefix); err != nil {
				return err
			}
		}
		bytes.Add(int64(len(record.Payload)))
		records.Add(1)
		if f.json {
			printJSON(out, row)
		} else {
			fmt.Fprintln(out, row.line())
		}
	}
}

// meter returns a meter of the records that the sink holds.
func (f *storedFlags) meter(ctx context.Context, source ingest.Source) *progress.Meter {
	to := screen(true)
	if to == nil {
		return nil
	}
	what, total := "reading", int64(-1)
	if f.extract != "" {
		what = "extracting"
	}
	if extent, err := source.Extent(ctx); err == nil && !extent.Uncounted {
		total = int64(extent.Next - min(extent.Next, max(extent.First, 1)))
	}
	return progress.NewRecords(to, what, total)
}

// write writes a payload and returns the file's name.
func (f *storedFlags) write(r *ingest.Record, prefix string) (name string, err error) {
	extension := ".bin"
	switch r.Kind {
	case ingest.KindCoreDump:
		extension = ".core"
	case ingest.KindTextLog:
		extension = ".ndjson"
	case ingest.KindMetrics, ingest.KindEvents:
		if extension = ".json"; telemetry.Compressed(r.Payload) {
			extension = ".json.gz"
		}
	}
	name = filepath.Join(f.extract, fmt.Sprintf("%s%06d-%s%s", prefix, r.Sequence, storedKind(r.Kind), extension))
	return name, files.Extract(name, r.Payload, f.force, natsFiles(&f.nats)...)
}

// storedRow is one message in a sink.
type storedRow struct {
	Time     time.Time `json:"time"` // when the worker received it
	Sequence uint64    `json:"sequence"`
	Topic    string    `json:"topic"`
	Kind     string    `json:"kind"`
	Bytes    int       `json:"bytes"`
	Key      string    `json:"key"`              // the same for copies
	ID       string    `json:"id,omitempty"`     // that the uploader sent along
	Reason   string    `json:"reason,omitempty"` // why it is in quarantine
	File     string    `json:"file,omitempty"`   // where the payload was written
}

func newStoredRow(r *ingest.Record) *storedRow {
	return &storedRow{
		Time: r.Time.UTC(), Sequence: r.Sequence, Topic: r.Topic, Kind: storedKind(r.Kind), Bytes: len(r.Payload),
		Key: r.Key.String(), ID: r.ID, Reason: r.Reason,
	}
}

// storedKind returns the name that the other commands have for a kind.
func storedKind(k ingest.Kind) string {
	switch k {
	case ingest.KindLog:
		return inspect.KindLog
	case ingest.KindCoreDump:
		return inspect.KindCoreDump
	case ingest.KindTextLog:
		return "textlog" // as capture calls it
	case ingest.KindMetrics, ingest.KindEvents:
		return k.String()
	}
	return inspect.KindUnknown
}

// line returns the row for a person. What came from devices is quoted.
func (r *storedRow) line() string {
	line := fmt.Sprintf("%s %s %q #%d, %d bytes", r.Time.Format("2006-01-02T15:04:05.000000Z"), r.Kind, r.Topic, r.Sequence, r.Bytes)
	if r.Reason != "" {
		line += fmt.Sprintf(", in quarantine: %q", r.Reason)
	}
	if r.File != "" {
		line += ", in " + r.File
	}
	return line
}
