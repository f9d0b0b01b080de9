package builds

import (
	"fmt"
	"os"

	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// Bounds of what is remembered of session tokens; a log can bear any.
const (
	maxFound   = 1 << 12
	maxUnknown = 10 // that are named
)

// issued tells which firmware a session token was issued for.
type issued struct {
	file    string
	lookup  *tokens.Lookup
	found   map[uint32]text.Dictionary // nil for a token that tells no build
	unknown map[uint32]bool            // that were told, or are about to be
	untold  []string                   // about these
}

// openIssued reads a token file.
func openIssued(cfg *Config) (*issued, error) {
	if _, err := os.Stat(cfg.TokenFile); err != nil { // a store may come to be, a name in a flag must be right
		return nil, fmt.Errorf("session tokens: %w", err)
	}
	lookup, err := tokens.OpenLookup(tokens.Config{Path: cfg.TokenFile, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return &issued{file: cfg.TokenFile, lookup: lookup, found: map[uint32]text.Dictionary{}, unknown: map[uint32]bool{}}, nil
}

// Issued returns what tells the dictionary of the firmware that a session token was
// issued for, or nil for a token that the token file or the builds do not know. It is
// nil itself without a token file.
func (b *Builds) Issued() func(token uint32) text.Dictionary {
	if b.issued == nil {
		return nil
	}
	return b.dictionaryOf
}

func (b *Builds) dictionaryOf(token uint32) text.Dictionary {
	s := b.issued
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

	if len(s.found) >= maxFound {
		clear(s.found)
	}
	s.found[token] = found
	if found == nil && !s.unknown[token] && len(s.unknown) <= maxUnknown {
		s.unknown[token] = true
		s.untold = append(s.untold, fmt.Sprintf("session token %d %s; the build is chosen by what the log holds", token, why))
		if len(s.unknown) > maxUnknown {
			s.untold[len(s.untold)-1] = "more session tokens tell no build; they are not named"
		}
		if b.cfg.Live {
			b.TellUnknown()
		}
	}
	return found
}

// TellUnknown says which session tokens have told no build since it was called last.
func (b *Builds) TellUnknown() {
	if b.issued == nil {
		return
	}
	for _, line := range b.issued.untold {
		fmt.Fprintln(b.cfg.Stderr, line)
	}
	b.issued.untold = nil
}
