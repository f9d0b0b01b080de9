package settings

import (
	"path/filepath"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// Files returns the files that a command with these settings uses, whether a flag, the
// environment or the configuration file names them, or nobody does.
func (s *Settings) Files() []files.Input {
	return append(append([]files.Input{
		{Flag: "--config", Name: s.config},
		{Flag: "--cert", Name: s.cert},
		{Flag: "--key", Name: s.key},
		{Flag: "--ca", Name: s.ca},
		{Flag: "--device", Name: s.deviceFile},
	}, s.roots...), TokenFiles(s.store)...)
}

// TokenFiles returns the files that are used with a value of --store.
func TokenFiles(store string) (in []files.Input) {
	if store == NoStore {
		return nil
	}
	flag := "--store"
	if store == "" {
		flag = "the file of session tokens"
	}
	for _, name := range tokens.Files(store) {
		in = append(in, files.Input{Flag: flag, Name: name}, files.Input{Flag: "the lock of " + flag, Name: tokens.LockName(name)})
	}
	return in
}

// systemRoots returns the certificates that the environment names in place of the
// system's, as crypto/x509 reads it.
func systemRoots(getenv func(string) string) (in []files.Input) {
	in = append(in, files.Input{Flag: "SSL_CERT_FILE", Name: getenv("SSL_CERT_FILE")})
	for _, dir := range filepath.SplitList(getenv("SSL_CERT_DIR")) {
		in = append(in, files.Input{Flag: "SSL_CERT_DIR", Name: dir, Folder: true})
	}
	return in
}
