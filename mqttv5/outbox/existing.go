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
	_, file := os.Stat(fileName(cfg.Dir))
	_, intake := os.Stat(intakeDir(cfg.Dir)) // a Submitter may have been there first
	_, made := os.Lstat(markName(cfg.Dir))
	if errors.Is(file, fs.ErrNotExist) && errors.Is(intake, fs.ErrNotExist) && errors.Is(made, fs.ErrNotExist) {
		return nil, errNone(cfg.Dir)
	}
	return Open(cfg)
}

func errNone(dir string) error {
	return &fault.Error{Op: "open outbox " + dir, Class: fault.ErrStorage, Err: errors.New("there is none")}
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
