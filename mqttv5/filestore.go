package mqttv5

import (
	"context"
	"log/slog"
)

// FileStoreConfig says where a FileStore keeps its tokens.
type FileStoreConfig struct {
	// Path is the file. Default: ~/.ulogger/session_tokens.json.
	Path string

	// Limit is the number of tokens to keep. Default: DefaultStoreLimit.
	Limit int

	// Logger is told when a damaged file was set aside. Default: discards.
	Logger *slog.Logger
}

// FileStore keeps the most recently used tokens in a file that many processes may
// share.
type FileStore struct {
	path string
}

// OpenFileStore returns a store on a file, which need not exist yet.
func OpenFileStore(cfg FileStoreConfig) (*FileStore, error) { return &FileStore{path: cfg.Path}, nil }

// Path returns the file's name.
func (s *FileStore) Path() string { return s.path }

// Token implements SessionStore.
func (s *FileStore) Token(ctx context.Context, key SessionKey) (uint32, bool, error) {
	return 0, false, errNotYet
}

// SetToken implements SessionStore.
func (s *FileStore) SetToken(ctx context.Context, key SessionKey, token uint32) error {
	return errNotYet
}

// DropToken implements SessionStore.
func (s *FileStore) DropToken(ctx context.Context, key SessionKey) error { return errNotYet }
