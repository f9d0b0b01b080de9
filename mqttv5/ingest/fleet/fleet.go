// Package fleet tells which device and which firmware a stored log is of, by the
// session tokens that a gateway keeps and the dictionaries of a directory.
package fleet

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// Config says where devices and firmware are.
type Config struct {
	// Store is the file of session tokens. One that does not exist holds none until
	// it does, which is told. Default: that of tokens.File.
	Store string

	// NoStore looks into no file of session tokens. Default: false.
	NoStore bool

	// Dictionaries is a directory of ELF files and dictionaries, or one of them.
	// Default: none.
	Dictionaries string

	// Logger gets which files of the directory hold no dictionary, and what goes
	// wrong with the file of tokens later. Default: discards.
	Logger *slog.Logger
}

// Fleet has the functions that an exporter asks. It is not safe for concurrent use.
type Fleet struct {
	tokens *tokens.Lookup // nil if there is no file of tokens to look in
	store  *dict.Store    // nil if there is no directory
	byHash map[string]*dict.Dictionary
	best   func(otlp.Device, format.Log) otlp.Choice
}

// maxHashes bounds what is remembered of firmware.
const maxHashes = 1 << 12

// Open reads the tokens and the dictionaries.
func Open(cfg Config) (*Fleet, error) {
	if cfg.Store != "" && !cfg.NoStore && cfg.Logger != nil {
		if _, err := os.Stat(cfg.Store); errors.Is(err, fs.ErrNotExist) {
			// A gateway makes it with the first token, and it is looked at again.
			cfg.Logger.Warn("there is no file of session tokens yet; until there is, no device is known by its token", "file", cfg.Store)
		}
	}

	f := &Fleet{byHash: map[string]*dict.Dictionary{}}
	var err error
	if !cfg.NoStore {
		f.tokens, err = tokens.OpenLookup(tokens.Config{Path: cfg.Store, Logger: cfg.Logger})
	}
	switch {
	case err == nil:
	case cfg.Store != "":
		return nil, err
	case cfg.Logger != nil: // nobody named a file, and there may be no home folder
		cfg.Logger.Warn("devices are not known by their session tokens", "error", err)
	}

	if cfg.Dictionaries == "" {
		return f, nil
	}
	if f.store, err = dict.OpenStore(cfg.Dictionaries); err != nil {
		return nil, err
	}
	all, skipped, err := f.store.All()
	if err != nil {
		return nil, err
	}
	if cfg.Logger != nil {
		for _, err := range skipped {
			cfg.Logger.Warn("skipped a file without a dictionary", "error", err)
		}
	}

	dicts := make([]otlp.Dictionary, len(all))
	for i, d := range all {
		dicts[i] = d
	}

	f.best = otlp.ChooseFrom(dicts)
	return f, nil
}

// Device returns the device that a log's session token belongs to. Its type and
// version are those of its firmware's dictionary; the tokens do not tell them.
func (f *Fleet) Device(d otlp.Device) (device.Info, bool) {
	if f.tokens == nil {
		return device.Info{}, false
	}
	key, ok := f.tokens.Lookup(d.CustomerID, d.GroupID, d.ApplicationID, d.Token)
	if !ok {
		return device.Info{}, false
	}
	info := device.Info{ApplicationID: key.ApplicationID, DeviceSerial: key.DeviceSerial, GitHash: key.GitHash}
	if firmware := f.firmware(key.GitHash); firmware != nil {
		info.DeviceType, info.GitVersion = firmware.ID.DeviceType, firmware.ID.Version
	}
	return info, true
}

// Choose returns the dictionary of the firmware that the device runs, or, if that is
// not known or not there, the one that fits best; none if none does.
func (f *Fleet) Choose(d otlp.Device, l format.Log) otlp.Choice {
	if firmware := f.firmware(d.Info.GitHash); firmware != nil {
		return otlp.Choice{Dictionary: firmware}
	}
	if f.best == nil {
		return otlp.Choice{}
	}
	return f.best(d, l)
}

// firmware returns the dictionary of a commit, or nil. Looking for one reads all
// files of the directory, so that each commit is looked for once.
func (f *Fleet) firmware(hash string) *dict.Dictionary {
	if f.store == nil || hash == "" {
		return nil
	}
	d, ok := f.byHash[hash]
	if ok {
		return d
	}
	d, err := f.store.Lookup(dict.ID{GitHash: hash})
	if err != nil {
		d = nil // or unreadable now, when Open could read all
	}
	if len(f.byHash) >= maxHashes {
		clear(f.byHash)
	}
	f.byHash[hash] = d
	return d
}
