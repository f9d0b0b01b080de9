package mqttv5

import "github.com/ulogkit/ulogkit/mqttv5/tokens"

// Session tokens are the business of package tokens; these are its names for those
// who import mqttv5 alone.
type (
	SessionKey      = tokens.Key    // which session a token belongs to
	SessionStore    = tokens.Store  // keeps tokens between uploads
	MemoryStore     = tokens.Memory // keeps them in memory
	FileStore       = tokens.File   // keeps them in a file that processes share
	FileStoreConfig = tokens.Config // says which file
	Sessions        = tokens.Lookup // finds devices by their tokens
)

// DefaultStoreLimit is the number of tokens a store keeps when it is given 0.
const DefaultStoreLimit = tokens.DefaultLimit

// NewMemoryStore is tokens.NewMemory.
func NewMemoryStore(limit int) *MemoryStore { return tokens.NewMemory(limit) }

// OpenFileStore is tokens.OpenFile.
func OpenFileStore(cfg FileStoreConfig) (*FileStore, error) { return tokens.OpenFile(cfg) }

// OpenSessions is tokens.OpenLookup.
func OpenSessions(cfg FileStoreConfig) (*Sessions, error) { return tokens.OpenLookup(cfg) }
