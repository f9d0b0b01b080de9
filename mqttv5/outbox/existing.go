package outbox

import (
	"errors"
	"io/fs"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// OpenExisting is Open for an outbox that must be there already: where none is, it
// makes none and returns an error of class ErrStorage.
func OpenExisting(cfg Config) (*Outbox, error) {
	if _, err := os.Stat(fileName(cfg.Dir)); errors.Is(err, fs.ErrNotExist) {
		return nil, &fault.Error{Op: "open outbox " + cfg.Dir, Class: fault.ErrStorage, Err: errors.New("there is none")}
	}
	return Open(cfg)
}

// Aside returns the ids of all records that are parked, and of those that are
// damaged if these are wanted too.
func (o *Outbox) Aside(damaged bool) (ids []string, err error) {
	for r, err := range o.Records() {
		if err != nil {
			return nil, err
		}
		if r.State == StateParked || damaged && r.State == StateDamaged {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}
