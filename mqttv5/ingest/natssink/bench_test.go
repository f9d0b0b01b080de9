package natssink

import (
	"fmt"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// BenchmarkAppend appends batches of 1 KiB records to a stream with three replicas
// whose servers, all in this process, call fsync on every write.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d/size=1024", n), func(b *testing.B) {
			c := startCluster(b, 3)
			s := open(b, Config{URL: c.url()})
			records := make([]ingest.Record, n)
			for i := range records {
				records[i] = ingest.Record{Time: time.Unix(1, 0), Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: make([]byte, 1024)}
			}
			b.SetBytes(int64(n) * 1024)
			next := uint64(0)
			for b.Loop() {
				for i := range records {
					next++
					records[i].Key = ingest.Key{byte(next), byte(next >> 8), byte(next >> 16), byte(next >> 24)}
				}
				if err := s.Append(b.Context(), records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
