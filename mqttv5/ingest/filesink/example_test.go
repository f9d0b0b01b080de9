package filesink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// Records are appended, and replayed without the copies that a crash may leave.
func Example() {
	tmp, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "sink")
	sink, err := filesink.Open(filesink.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer sink.Close()
	ctx := context.Background()
	for _, text := range []string{"a", "b", "a"} {
		r := ingest.Record{Time: time.Now(), Key: ingest.Key{text[0]}, Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: []byte(text)}
		if err := sink.Append(ctx, []ingest.Record{r}); err != nil {
			fmt.Println(err)
			return
		}
	}

	files, err := filesink.OpenReader(dir, 0)
	if err != nil {
		fmt.Println(err)
		return
	}

	r := ingest.Deduplicate(files, 0)
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, ingest.ErrEnd) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s\n", rec.Sequence, rec.Payload)
	}
	// Output:
	// 1 a
	// 2 b
}
