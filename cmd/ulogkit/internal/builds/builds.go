// Package builds holds the builds of firmware that a command is given, and finds the one
// that a session token was issued for. Which of several a log is of by its records,
// package format/text/choose decides.
package builds

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
)

// Config says where builds are, and what may tell which of them a log is of.
type Config struct {
	// Paths are files and folders of ELF files and dictionaries. Default: none.
	Paths []string

	// GitHash is the commit of the only build to take. Default: all are taken.
	GitHash string

	// TokenFile has session tokens, of ours or of the vendor's library. Default: none.
	TokenFile string

	// Live says that somebody watches: a token that tells no build is told at once, not
	// with TellUnknown. Default: false.
	Live bool

	// Stderr is told which files hold no dictionary. Default: none, required.
	Stderr io.Writer

	// Logger gets what goes wrong with the token file. Default: discards.
	Logger *slog.Logger
}

// Builds are those that were read last. They are not safe for concurrent use.
type Builds struct {
	cfg     Config
	stores  []*dict.Store
	dicts   []text.Dictionary
	issued  *issued  // nil without a token file
	skipped []string // why files hold no dictionary, or none any more
}

// Open reads the builds.
func Open(cfg Config) (*Builds, error) {
	b := &Builds{cfg: cfg}
	for _, path := range cfg.Paths {
		store, err := dict.OpenStore(path)
		if err != nil {
			return nil, err
		}
		b.stores = append(b.stores, store)
	}

	if cfg.TokenFile != "" {
		tokens, err := openIssued(&cfg)
		if err != nil {
			return nil, err
		}
		b.issued = tokens
	}
	return b, b.load()
}

// Dictionaries returns those of the builds.
func (b *Builds) Dictionaries() []text.Dictionary { return b.dicts }

// byHash takes of the builds the one of the commit alone.
func (b *Builds) byHash() error {
	var failed []error
	var dicts []text.Dictionary
	for _, store := range b.stores {
		if d, err := store.Lookup(dict.ID{GitHash: b.cfg.GitHash}); err != nil {
			failed = append(failed, err)
		} else {
			dicts = append(dicts, d)
		}
	}
	if len(dicts) == 0 {
		return errors.Join(failed...)
	}
	b.dicts = dicts
	return nil
}

// load reads what has changed, and tells which files are skipped that were not
// before.
func (b *Builds) load() error {
	if b.cfg.GitHash != "" {
		return b.byHash()
	}

	var dicts []text.Dictionary
	var skipped []string
	for _, store := range b.stores {
		all, errs, err := store.All()
		if err != nil {
			return err
		}
		for _, d := range all {
			dicts = append(dicts, d)
		}
		for _, err := range errs {
			skipped = append(skipped, err.Error())
		}
	}

	for _, reason := range skipped {
		if !slices.Contains(b.skipped, reason) {
			fmt.Fprintf(b.cfg.Stderr, "%s; skipped\n", reason)
		}
	}

	b.dicts, b.skipped = dicts, skipped
	return nil
}

// TellNoSources says which builds lack lines of code that they should have.
func (b *Builds) TellNoSources() {
	for _, d := range b.dicts {
		if d, ok := d.(*dict.Dictionary); ok && d.NoSources() != "" {
			fmt.Fprintf(b.cfg.Stderr, "%s: no lines of code: %s\n", d, d.NoSources())
		}
	}
}

// Reload returns the dictionaries if others are there now. While a build has
// removed them, nothing has changed.
func (b *Builds) Reload() []text.Dictionary {
	if b.issued != nil {
		clear(b.issued.found) // the token file may hold more by now
	}
	before := b.dicts
	if b.load() != nil || slices.Equal(before, b.dicts) {
		return nil
	}
	return b.dicts
}
