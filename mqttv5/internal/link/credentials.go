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
	pair, sum, err := c.pair()
	if err != nil {
		return nil, err
	}
	if err := c.checkTime(pair.Leaf, time.Now()); err != nil {
		return nil, err
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
	if sum := sha256.Sum256(append(sum[:], caPEM...)); c.cache == nil || sum != c.sum {
		// A resumed session would present the old certificate.
		c.sum, c.cache = sum, tls.NewLRUClientSessionCache(4)
	}
	cfg.ClientSessionCache = c.cache
	return cfg, nil
}

// pair returns certificate and key, with a sum of what they are made of.
func (c *identity) pair() (pair tls.Certificate, sum [sha256.Size]byte, err error) {
	if give := c.files.Certificate; give != nil {
		const op = "get the client certificate"
		given, err := give()
		switch {
		case err != nil:
			return pair, sum, credentialError(op, err, "")
		case given == nil || len(given.Certificate) == 0 || given.PrivateKey == nil:
			return pair, sum, credentialError(op, errors.New("the certificate or its key is missing"), "")
		}
		pair = *given
		sum = sha256.Sum256(bytes.Join(pair.Certificate, []byte{0}))
	} else {
		certPEM, err := readPEM("client certificate", c.files.CertFile, certificate)
		if err != nil {
			return pair, sum, err
		}

		keyPEM, err := readPEM("private key", c.files.KeyFile, privateKey)
		if err != nil {
			return pair, sum, err
		}
		if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
			return pair, sum, c.pairError(certPEM, keyPEM, err)
		}
		sum = sha256.Sum256(bytes.Join([][]byte{certPEM, keyPEM}, []byte{0}))
	}

	if pair.Leaf == nil {
		if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return pair, sum, credentialError("use the client certificate "+c.files.CertFile, err, "")
		}
	}
	return pair, sum, nil
}

// pairError says why a certificate and a key are not used together.
func (c *identity) pairError(certPEM, keyPEM []byte, err error) error {
	op := "use certificate " + c.files.CertFile + " with key " + c.files.KeyFile
	blocks := pemBlocks(certPEM, certificate)
	for i := 1; i < len(blocks); i++ {
		if _, err := tls.X509KeyPair(pem.EncodeToMemory(blocks[i]), keyPEM); err == nil {
			return credentialError(op, fmt.Errorf("the chain is in the wrong order: the key belongs to certificate %d of %d in the file", i+1, len(blocks)),
				"the client's own certificate must be the first, its issuer the next")
		}
	}
	return credentialError(op, trimTLS(err), "the two files must be a pair, in PEM")
}

// checkTime refuses a certificate that is not valid at a time.
func (c *identity) checkTime(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return credentialError("use certificate "+c.files.CertFile,
			fmt.Errorf("it expired on %s and the clock says %s", leaf.NotAfter.Format(time.DateOnly), now.Format(time.DateOnly)),
			"renew it, or set the clock")
	case now.Before(leaf.NotBefore):
		return credentialError("use certificate "+c.files.CertFile,
			fmt.Errorf("it is not valid before %s and the clock says %s", leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)),
			"set the clock of this machine, or wait")
	}
	return nil
}

// AppendRoots adds the certificates of a CA file to a pool and returns its bytes.
func AppendRoots(pool *x509.CertPool, file string) ([]byte, error) {
	b, err := readPEM("CA certificate", file, certificate)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(b) {
		return nil, credentialError("use CA file "+file, errors.New("it holds no certificate that can be read"), "")
	}
	return b, nil
}

func credentialError(op string, err error, hint string) error {
	return &fault.Error{Op: op, Class: fault.ErrCredentials, Err: err, Hint: hint}
}

// What a PEM file must hold: the type of a block, or its end for keys, of which there
// are several forms.
const (
	certificate = "CERTIFICATE"
	privateKey  = "PRIVATE KEY"
)

// readPEM reads a file that must hold a block of a kind. The mode of a private key
// is checked on the file that is open.
func readPEM(what, name, kind string) ([]byte, error) {
	op := "read " + what + " " + name
	if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, credentialError(op, errors.New("it is not a regular file"), "") // to open a pipe would wait
	}

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

	b, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, credentialError(op, fault.PathCause(err), "")
	}
	if len(b) > maxPEM {
		return nil, credentialError(op, fmt.Errorf("it is larger than %d bytes", maxPEM), "")
	}

	b = bytes.ReplaceAll(b, []byte("\xef\xbb\xbf"), nil) // the byte order marks of Windows editors, of each file that went into it
	if err := checkPEM(op, name, kind, b); err != nil {
		return nil, err
	}

	if kind == privateKey {
		// After its content: whoever gives a certificate for it must not be told
		// to hide that.
		if err := checkKeyMode(fi); err != nil {
			return nil, credentialError(op, err, "run: chmod 600 "+name)
		}
	}
	return b, nil
}

// checkPEM names what a file holds instead of what it must hold.
func checkPEM(op, name, kind string, b []byte) error {
	all := pemBlocks(b, "")
	switch {
	case len(pemBlocks(b, kind)) > 0:
	case len(all) > 0 && kind == certificate && len(pemBlocks(b, privateKey)) > 0:
		return credentialError(op, errors.New("it holds a private key and no certificate"), "are certificate and key swapped?")
	case len(all) > 0 && kind == privateKey && len(pemBlocks(b, certificate)) > 0:
		return credentialError(op, errors.New("it holds a certificate and no private key"), "are certificate and key swapped?")
	case len(all) > 0:
		return credentialError(op, fmt.Errorf("it holds a block of type %q and no %s", fault.Printable(all[0].Type), strings.ToLower(kind)), "")
	case len(b) == 0:
		return credentialError(op, errors.New("it is empty"), "")
	case bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")):
		return credentialError(op, errors.New("it is UTF-16"), "save it as UTF-8 or ASCII")
	case b[0] == 0x30: // a SEQUENCE
		return credentialError(op, errors.New("it is DER, not PEM"), "convert it: openssl pkey or openssl x509, with -inform DER")
	case bytes.Contains(b, []byte("-----BEGIN ")):
		return credentialError(op, errors.New("its PEM block is damaged"), "copy the file anew: each line must be whole, and begin at the margin")
	default:
		return credentialError(op, errors.New("it is not PEM"), "a PEM file begins with -----BEGIN")
	}

	for _, p := range pemBlocks(b, privateKey) {
		if kind == privateKey && (p.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(p.Headers["Proc-Type"], "ENCRYPTED")) {
			return credentialError("use private key "+name, errors.New("it is encrypted with a passphrase"),
				"write an unencrypted copy with: openssl pkey -in "+name+" -out NEW.key && chmod 600 NEW.key")
		}
	}
	return nil
}

// pemBlocks returns the blocks of a kind, or all if it is empty.
func pemBlocks(b []byte, kind string) (blocks []*pem.Block) {
	for p, rest := pem.Decode(b); p != nil; p, rest = pem.Decode(rest) {
		// A "TRUSTED CERTIFICATE" is OpenSSL's own, and no certificate for others.
		if strings.HasSuffix(p.Type, kind) && (kind != certificate || p.Type == certificate) {
			blocks = append(blocks, p)
		}
	}
	return blocks
}

func trimTLS(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
}
