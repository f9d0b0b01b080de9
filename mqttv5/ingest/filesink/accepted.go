package filesink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// span is a run of sequence numbers, both ends included.
type span struct{ first, last uint64 }

// spans are in order and do not touch.
type spans []span

func (s spans) covers(x span) bool {
	return slices.ContainsFunc(s, func(y span) bool { return y.first <= x.first && x.last <= y.last })
}

// with returns s with more added.
func (s spans) with(more ...span) spans {
	all := append(slices.Clone(s), more...)
	slices.SortFunc(all, func(a, b span) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})

	var joined spans
	for _, x := range all {
		if n := len(joined); n > 0 && x.first <= joined[n-1].last+1 {
			joined[n-1].last = max(joined[n-1].last, x.last)
			continue
		}
		joined = append(joined, x)
	}
	return joined
}

// acceptedName is the file with the losses that a person has seen: a line "FIRST
// LAST" for each run of sequence numbers.
func acceptedName(dir string) string { return filepath.Join(dir, "accepted-losses") }

// readAccepted reads which losses a person has accepted; without a file there are none.
func readAccepted(dir string) (spans, error) {
	name := acceptedName(dir)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	var all spans
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		var x span
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &x.first, &x.last); err != nil || x.first == 0 || x.last < x.first {
			return nil, fmt.Errorf("%s: line %d is not of the form FIRST LAST; delete the file to be told of every loss again", name, n)
		}
		all = append(all, x)
	}
	return all.with(), lines.Err()
}

// AcceptLosses remembers that a person has seen these losses, as a Reader of the
// directory gave them. Readers go on to return them, with Accepted set. It can be
// called while a worker writes.
func AcceptLosses(dir string, losses []ingest.LossError) error {
	if _, err := readIdentity(dir); err != nil {
		return fmt.Errorf("accept losses of file sink %s: %w", dir, err)
	}
	all, err := readAccepted(dir)
	if err != nil {
		return fmt.Errorf("accept losses of file sink %s: %w", dir, err)
	}

	for i := range losses {
		all = all.with(span{losses[i].First, losses[i].Last})
	}
	var b []byte
	for _, x := range all {
		b = fmt.Appendf(b, "%d %d\n", x.first, x.last)
	}
	if err := durable.ReplaceFile(acceptedName(dir), b, 0o600); err != nil {
		return fmt.Errorf("accept losses of file sink %s: %w", dir, err)
	}
	return nil
}
