package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// builds are what the flag --elf names, and what tells which of them a log is of.
type builds struct {
	stores   []*dict.Store
	dicts    []text.Dictionary
	hash     string          // of the commit that the firmware was built from, or empty
	sessions *issuedSessions // of the flag --store, or nil
	skipped  []string        // why files hold no dictionary, or none any more
	stderr   io.Writer       // is told that
	live     bool            // somebody watches: a token that tells no build is told at once
}

// openBuilds reads the builds of files and folders, and what may tell which of them a
// log is of: a git hash, or a file of session tokens.
func openBuilds(paths []string, hash, tokenFile string, stderr io.Writer) (*builds, error) {
	b := &builds{hash: hash, stderr: stderr}
	switch {
	case hash != "" && tokenFile != "":
		return nil, usage(errors.New("--git-hash and --store both tell which build it is: give one of them"))
	case hash != "" && len(paths) == 0:
		return nil, usage(errors.New("--git-hash: give the builds to choose from with --elf"))
	case tokenFile != "" && len(paths) == 0:
		return nil, usage(errors.New("--store: give the builds to choose from with --elf"))
	}

	for _, path := range paths {
		store, err := dict.OpenStore(path)
		if err != nil {
			return nil, err
		}
		b.stores = append(b.stores, store)
	}

	if tokenFile != "" {
		sessions, err := openSessions(tokenFile, stderr)
		if err != nil {
			return nil, err
		}
		b.sessions = sessions
	}
	return b, b.load()
}

// byHash takes of the builds the one of the commit alone.
func (b *builds) byHash() error {
	var failed []error
	var dicts []text.Dictionary
	for _, store := range b.stores {
		if d, err := store.Lookup(dict.ID{GitHash: b.hash}); err != nil {
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
func (b *builds) load() error {
	if b.hash != "" {
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
			fmt.Fprintf(b.stderr, "%s; skipped\n", reason)
		}
	}

	b.dicts, b.skipped = dicts, skipped
	return nil
}

// tellNoSources says which builds lack lines of code that they should have.
func (b *builds) tellNoSources() {
	for _, d := range b.dicts {
		if d, ok := d.(*dict.Dictionary); ok && d.NoSources() != "" {
			fmt.Fprintf(b.stderr, "%s: no lines of code: %s\n", d, d.NoSources())
		}
	}
}

// reload returns the dictionaries if others are there now. While a build has
// removed them, nothing has changed.
func (b *builds) reload() []text.Dictionary {
	if b.sessions != nil {
		clear(b.sessions.found) // the token file may hold more by now
	}
	before := b.dicts
	if b.load() != nil || slices.Equal(before, b.dicts) {
		return nil
	}
	return b.dicts
}

// Bounds of what is remembered of session tokens; a log can bear any.
const (
	maxSessions = 1 << 12
	maxUnknown  = 10 // that are named
)

// issuedSessions tell which firmware a session token was issued for.
type issuedSessions struct {
	file    string
	lookup  *tokens.Lookup
	found   map[uint32]text.Dictionary // nil for a token that tells no build
	unknown map[uint32]bool            // that were told, or are about to be
	untold  []string                   // about these
}

// openSessions reads a token file of ours or of the vendor's library.
func openSessions(file string, stderr io.Writer) (*issuedSessions, error) {
	if _, err := os.Stat(file); err != nil { // a store may come to be, a name in a flag must be right
		return nil, fmt.Errorf("session tokens: %w", err)
	}
	lookup, err := tokens.OpenLookup(tokens.Config{Path: file, Logger: logger(stderr, slog.LevelInfo)})
	if err != nil {
		return nil, err
	}
	return &issuedSessions{file: file, lookup: lookup, found: map[uint32]text.Dictionary{}, unknown: map[uint32]bool{}}, nil
}

// issued returns the dictionary of the firmware that a session token was issued for,
// or nil if the token file or the builds do not tell it.
func (b *builds) issued(token uint32) text.Dictionary {
	s := b.sessions
	if d, ok := s.found[token]; ok {
		return d
	}

	var found text.Dictionary
	hash, ok := s.lookup.GitHash(token)
	why := "is not known in " + text.Printable(s.file)
	if ok {
		why = fmt.Sprintf("is of commit %q, of which no build is at hand", hash)
		for _, store := range b.stores {
			if d, err := store.Lookup(dict.ID{GitHash: hash}); err == nil {
				found = d
				break
			}
		}
	}

	if len(s.found) >= maxSessions {
		clear(s.found)
	}
	s.found[token] = found
	if found == nil && !s.unknown[token] && len(s.unknown) <= maxUnknown {
		s.unknown[token] = true
		s.untold = append(s.untold, fmt.Sprintf("session token %d %s; the build is chosen by what the log holds", token, why))
		if len(s.unknown) > maxUnknown {
			s.untold[len(s.untold)-1] = "more session tokens tell no build; they are not named"
		}
		if b.live {
			b.tellUnknown()
		}
	}
	return found
}

// tellUnknown says which session tokens have told no build since it was called last.
func (b *builds) tellUnknown() {
	if b.sessions == nil {
		return
	}
	for _, line := range b.sessions.untold {
		fmt.Fprintln(b.stderr, line)
	}
	b.sessions.untold = nil
}
