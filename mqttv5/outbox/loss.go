package outbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Loss is a file of an outbox that was damaged and has been set aside, and what of
// it could be brought over.
type Loss struct {
	Kept   string `json:"kept"`             // name of the file set aside, in the outbox's folder
	Reason string `json:"reason,omitempty"` // what was wrong with it

	// Counted says that a count of what waited, was parked or was damaged could be
	// read in the file: Held. It is the newest that is left; one that was written
	// later may be gone with the rest.
	Counted bool `json:"counted"`
	Held    int  `json:"held,omitempty"`

	// Restored records were brought over. Some of them may have been delivered
	// before, unless Exact: then nothing had ever left the outbox.
	Restored int  `json:"restored"`
	Exact    bool `json:"exact,omitempty"`

	Accepted bool `json:"-"` // a person has seen it
}

// Lost returns how many records are gone at least, and whether it is known that any
// or none are.
func (l *Loss) Lost() (n int, known bool) {
	switch {
	case !l.Counted:
		return 0, false
	case l.Restored < l.Held:
		return l.Held - l.Restored, true
	}
	return 0, l.Exact && l.Restored == l.Held
}

// None reports whether it is known that nothing is gone.
func (l *Loss) None() bool {
	n, known := l.Lost()
	return known && n == 0
}

func (l *Loss) String() string {
	gone := "how many accepted records are gone is unknown"
	n, known := l.Lost()
	switch {
	case known && n == 0:
		gone = "no record is gone"
	case known:
		gone = fmt.Sprintf("at least %d of %d accepted records are gone", n, l.Held)
	}
	return fmt.Sprintf("outbox was damaged: %s; %d brought over, the file is kept as %s", gone, l.Restored, l.Kept)
}

// Files of an outbox's folder: what is known of each file set aside, written by
// whoever has the outbox open, and the names of those that a person has seen.
func lossName(dir string) string { return filepath.Join(dir, "outbox.losses") }
func seenName(dir string) string { return filepath.Join(dir, "outbox.losses-seen") }

// maxLossFile bounds what is read of these files.
const maxLossFile = 1 << 20

// Losses returns what is known of each damaged file of an outbox that was set aside,
// the oldest first. A file set aside of which nothing was noted, as after a crash,
// is among them. It needs no lock and changes nothing.
func Losses(dir string) ([]Loss, error) {
	all, err := readLosses(dir)
	if err != nil {
		return nil, lossError("read losses of", dir, err)
	}

	seen, err := readLines(seenName(dir))
	if err != nil {
		return nil, lossError("read losses of", dir, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, lossError("read losses of", dir, err)
	}

	for _, f := range files {
		name := f.Name()
		noted := slices.ContainsFunc(all, func(l Loss) bool { return l.Kept == name })
		if strings.HasPrefix(name, filepath.Base(fileName(dir))+".damaged-") && !noted {
			all = append(all, Loss{Kept: name})
		}
	}

	slices.SortStableFunc(all, func(a, b Loss) int { return strings.Compare(a.Kept, b.Kept) })
	for i := range all {
		all[i].Accepted = slices.Contains(seen, all[i].Kept)
	}
	return all, nil
}

// AcceptLosses remembers that a person has seen these losses, as Losses gave them.
// It needs no lock: the outbox may be open.
func AcceptLosses(dir string, losses []Loss) error {
	seen, err := readLines(seenName(dir))
	if err != nil {
		return lossError("accept losses of", dir, err)
	}
	for _, l := range losses {
		seen = append(seen, l.Kept)
	}
	slices.Sort(seen)
	b := []byte(strings.Join(slices.Compact(seen), "\n") + "\n")
	if err := durable.ReplaceFile(seenName(dir), b, 0o600); err != nil {
		return lossError("accept losses of", dir, err)
	}
	return nil
}

func lossError(op, dir string, err error) error {
	return &fault.Error{Op: op + " outbox " + dir, Class: fault.ErrStorage, Err: fault.PathCause(err)}
}

func readLosses(dir string) (all []Loss, err error) {
	lines, err := readLines(lossName(dir))
	for i, line := range lines {
		var l Loss
		if json.Unmarshal([]byte(line), &l) != nil || l.Kept == "" {
			return nil, fmt.Errorf("%s: line %d is not what was noted of a file set aside; delete the file to be told of each with an unknown count", lossName(dir), i+1)
		}
		all = append(all, l)
	}
	return all, err
}

// readLines returns the lines of a file, and none if there is no file.
func readLines(name string) (lines []string, err error) {
	b, err := durable.ReadStart(name, maxLossFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' }), err
}

// noteLoss adds to what is known. Where it cannot, the file set aside is still there
// to be told of, without a count.
func noteLoss(dir string, l Loss) error {
	all, err := readLosses(dir)
	if err != nil {
		return err
	}
	var b []byte
	for _, l := range append(all, l) {
		line, err := json.Marshal(l)
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	return durable.ReplaceFile(lossName(dir), b, 0o600)
}

// newestState looks for states, which follow their key in the file, in a stream of
// bytes and returns the one that counts most. Older ones lie in pages that were not
// used again.
func newestState(r io.Reader) (newest state, ok bool, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	for {
		b, err := in.Peek(1 << 16)
		if len(b) == 0 {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return newest, ok, err
		}

		at := bytes.Index(b, keyState)
		if at < 0 {
			in.Discard(max(1, len(b)-len(keyState)+1))
			continue
		}
		in.Discard(at)
		b, _ = in.Peek(len(keyState) + stateSize)
		if s, good := decodeState(b[len(keyState):]); good && (!ok || s.accepted+s.delivered+s.dropped > newest.accepted+newest.delivered+newest.dropped) {
			newest, ok = s, true
		}

		in.Discard(len(keyState))
	}
}

// count notes what a state says of what the file held.
func (l *Loss) count(s state) {
	gone := s.delivered + s.dropped
	if gone < s.delivered || gone > s.accepted || s.accepted-gone > 1<<40 {
		return // it does not add up, as after a repair by an older version
	}
	l.Counted, l.Held, l.Exact = true, int(s.accepted-gone), gone == 0
}
