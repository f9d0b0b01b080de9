package link

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Largest credential file that is read, in bytes.
const maxPEM = 1 << 20

// identity reads certificate, key and CA for each connection, so that a renewed
// certificate is used without a restart. It keeps TLS sessions for resumption as
// long as the files stay the same.
type identity struct {
	files      Credentials
	serverName string
	port       int

	mu    sync.Mutex
	sum   [sha256.Size]byte // of the files at the last load
	cache tls.ClientSessionCache
}

func newIdentity(c *Config) *identity {
	return &identity{files: c.Credentials, serverName: strings.Trim(c.Broker, "[]"), port: c.Port}
}

// Certificate reads and checks the credential files and returns the client
// certificate.
func (c *Config) Certificate() (*x509.Certificate, error) {
	t, err := newIdentity(c).load()
	if err != nil {
		return nil, err
	}
	return t.Certificates[0].Leaf, nil
}

// load reads and checks the files.
func (c *identity) load() (*tls.Config, error) {
	certPEM, err := readPEM("client certificate", c.files.CertFile, nil)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPEM("private key", c.files.KeyFile, checkKeyMode)
	if err != nil {
		return nil, err
	}
	if err := checkPlainKey(keyPEM); err != nil {
		return nil, credentialError("use private key "+c.files.KeyFile, err,
			"write an unencrypted copy with: openssl pkey -in "+c.files.KeyFile+" -out NEW.key && chmod 600 NEW.key")
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, credentialError("use certificate "+c.files.CertFile+" with key "+c.files.KeyFile, trimTLS(err), "the two files must be a pair, in PEM")
	}
	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return nil, credentialError("use certificate "+c.files.CertFile, err, "")
		}
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, credentialError("use certificate "+c.files.CertFile,
			fmt.Errorf("it expired on %s and the clock says %s", pair.Leaf.NotAfter.Format(time.DateOnly), now.Format(time.DateOnly)),
			"renew it, or set the clock")
	}
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   c.serverName,
		Certificates: []tls.Certificate{pair},
	}
	if c.port == 443 {
		cfg.NextProtos = []string{"x-amzn-mqtt-ca"}
	}
	var caPEM []byte
	if c.files.CAFile != "" {
		cfg.RootCAs = x509.NewCertPool()
		if caPEM, err = AppendRoots(cfg.RootCAs, c.files.CAFile); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sum := sha256.Sum256(bytes.Join([][]byte{certPEM, keyPEM, caPEM}, []byte{0})); c.cache == nil || sum != c.sum {
		// A resumed session would present the old certificate.
		c.sum, c.cache = sum, tls.NewLRUClientSessionCache(4)
	}
	cfg.ClientSessionCache = c.cache
	return cfg, nil
}

// AppendRoots adds the certificates of a CA file to a pool and returns its bytes.
func AppendRoots(pool *x509.CertPool, file string) ([]byte, error) {
	b, err := readPEM("CA certificate", file, nil)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(b) {
		return nil, credentialError("use CA file "+file, errors.New("it holds no certificate"), "it must be PEM")
	}
	return b, nil
}

func credentialError(op string, err error, hint string) error {
	return &fault.Error{Op: op, Class: fault.ErrCredentials, Err: err, Hint: hint}
}

// readPEM reads a file, with its mode checked on the file that is open.
func readPEM(what, name string, check func(os.FileInfo) error) ([]byte, error) {
	op := "read " + what + " " + name
	f, err := os.Open(name)
	if err != nil {
		hint := "give the name of the file the cloud sent you"
		if errors.Is(err, os.ErrPermission) {
			hint = "this user must be able to read it"
		}
		return nil, credentialError(op, fault.PathCause(err), hint)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, credentialError(op, fault.PathCause(err), "")
	}
	if !fi.Mode().IsRegular() {
		return nil, credentialError(op, errors.New("it is not a regular file"), "")
	}
	if check != nil {
		if err := check(fi); err != nil {
			return nil, credentialError(op, err, "run: chmod 600 "+name)
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, credentialError(op, fault.PathCause(err), "")
	}
	if len(b) > maxPEM {
		return nil, credentialError(op, fmt.Errorf("it is larger than %d bytes", maxPEM), "")
	}
	if p, _ := pem.Decode(b); p == nil {
		return nil, credentialError(op, errors.New("it is not PEM"), "a PEM file begins with -----BEGIN")
	}
	return b, nil
}

// checkPlainKey names the one mistake that x509 reports as gibberish.
func checkPlainKey(b []byte) error {
	for p, rest := pem.Decode(b); p != nil; p, rest = pem.Decode(rest) {
		if p.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(p.Headers["Proc-Type"], "ENCRYPTED") {
			return errors.New("it is encrypted with a passphrase")
		}
	}
	return nil
}

func trimTLS(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
}
