package link

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// A credential file that is wrong is named, with what is wrong and what to do.
func TestWrongCredentialsAreNamed(t *testing.T) {
	ca := catest.New(t)
	cert, key := ca.Issue(2, time.Now().Add(time.Hour))
	otherCert, _ := ca.Issue(3, time.Now().Add(time.Hour))
	early, earlyKey := ca.Issue(4, time.Now().Add(49*time.Hour)) // valid for 48 hours
	late, lateKey := ca.Issue(5, time.Now().Add(-time.Minute))
	block, _ := pem.Decode(cert)
	keyBlock, _ := pem.Decode(key)
	bom := []byte("\xef\xbb\xbf")
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte("x")})
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY\x1b[31m", Bytes: []byte("x")})

	for _, c := range []struct {
		name          string
		cert, key, ca []byte
		mode          os.FileMode // of the key
		want          string      // empty: it is used
	}{
		{"good", cert, key, ca.PEM, 0o600, ""},
		{"byte order marks", append(bom, cert...), append(bom, key...), append(bom, ca.PEM...), 0o600, ""},
		{"byte order mark within", slices.Concat(cert, bom, ca.PEM), slices.Concat(bom, bom, key), ca.PEM, 0o600, ""},
		{"lines of Windows", bytes.ReplaceAll(cert, []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n")), ca.PEM, 0o600, ""},
		{"lines of an old Mac", bytes.ReplaceAll(cert, []byte("\n"), []byte("\r")), key, ca.PEM, 0o600, "cert.pem: its PEM block is damaged; copy the file anew"},
		{"indented", bytes.ReplaceAll(cert, []byte("\n"), []byte("\n  ")), key, ca.PEM, 0o600, "cert.pem: its PEM block is damaged"},
		{"half", cert[:len(cert)/2], key, ca.PEM, 0o600, "cert.pem: its PEM block is damaged"},
		{"trusted", bytes.ReplaceAll(cert, []byte(" CERT"), []byte(" TRUSTED CERT")), key, ca.PEM, 0o600, `it holds a block of type "TRUSTED CERTIFICATE" and no certificate`},
		{"chain", append(bytes.Clone(cert), ca.PEM...), key, ca.PEM, 0o600, ""},
		{"key beside the certificate", append(bytes.Clone(key), cert...), append(bytes.Clone(cert), key...), ca.PEM, 0o600, ""},
		{"chain reversed", append(bytes.Clone(ca.PEM), cert...), key, ca.PEM, 0o600, "wrong order: the key belongs to certificate 2 of 2"},
		{"swapped", key, cert, ca.PEM, 0o644, "cert.pem: it holds a private key and no certificate; are certificate and key swapped?"},
		{"certificate twice", cert, cert, ca.PEM, 0o644, "key.pem: it holds a certificate and no private key; are certificate and key swapped?"},
		{"key for the CA", cert, key, key, 0o600, "ca.pem: it holds a private key and no certificate"},
		{"no pair", otherCert, key, ca.PEM, 0o600, "must be a pair"},
		{"not valid yet", early, earlyKey, ca.PEM, 0o600, "it is not valid before "},
		{"expired", late, lateKey, ca.PEM, 0o600, "it expired on "},
		{"encrypted", cert, encrypted, ca.PEM, 0o600, "encrypted with a passphrase; write an unencrypted copy"},
		{"encrypted as once", cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")}), ca.PEM, 0o600, "encrypted with a passphrase"},
		{"too large", append(bytes.Clone(cert), make([]byte, maxPEM)...), key, ca.PEM, 0o600, "cert.pem: it is larger than 1048576 bytes"},
		{"readable by others", cert, key, ca.PEM, 0o644, "others can read it (mode 0644); run: chmod 600"},
		{"request", request, key, ca.PEM, 0o600, `it holds a block of type "CERTIFICATE REQUEST" and no certificate`},
		{"public key", cert, public, ca.PEM, 0o600, `it holds a block of type "PUBLIC KEY?[31m" and no private key`},
		{"DER certificate", block.Bytes, key, ca.PEM, 0o600, "it is DER, not PEM; convert it"},
		{"DER key", cert, keyBlock.Bytes, ca.PEM, 0o600, "it is DER, not PEM; convert it"},
		{"UTF-16", []byte("\xff\xfe-\x00-\x00"), key, ca.PEM, 0o600, "it is UTF-16; save it as UTF-8"},
		{"empty", nil, key, ca.PEM, 0o600, "cert.pem: it is empty"},
		{"text", []byte("hello"), key, ca.PEM, 0o600, "it is not PEM"},
		{"damaged CA", cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), 0o600, "no certificate that can be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			files := Credentials{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), CAFile: filepath.Join(dir, "ca.pem")}
			for name, b := range map[string][]byte{files.CertFile: c.cert, files.KeyFile: c.key, files.CAFile: c.ca} {
				mode := os.FileMode(0o644)
				if name == files.KeyFile {
					mode = c.mode
				}
				if err := os.WriteFile(name, b, mode); err != nil {
					t.Fatal(err)
				}
			}
			_, err := newIdentity(&Config{Broker: "x", Port: 8883, Credentials: files}).load()
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v, want it used", err)
				}
				return
			}
			if !errors.Is(err, fault.ErrCredentials) || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

// Whose mode counts is the key itself, also behind a link, as of a secret in a container.
func TestKeyBehindALink(t *testing.T) {
	_, key := catest.New(t).Issue(2, time.Now().Add(time.Hour))
	dir := t.TempDir()
	name, link := filepath.Join(dir, "key.pem"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(name, key, 0o600), os.Symlink(name, link)); err != nil {
		t.Skip(err)
	}
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o604: false} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readPEM("private key", link, privateKey); (err == nil) != want {
			t.Errorf("mode %o: got %v, want it read: %v", mode, err, want)
		}
	}
}

// A pipe in place of a credential file is named, and not waited for.
func TestCredentialsAreNoPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := readPEM("private key", name, privateKey)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, fault.ErrCredentials) || !strings.Contains(err.Error(), "it is not a regular file") {
			t.Errorf("got %v, want that it is no regular file", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the pipe is waited for")
	}
}

// signer is a key that can do no more than sign, as one in a TPM.
type signer struct{ crypto.Signer }

// A certificate whose key is held elsewhere logs in as one of files does.
func TestCertificateWithAKeyHeldElsewhereLogsIn(t *testing.T) {
	ca := catest.New(t)
	b := mqtttest.NewBroker(t)
	port := b.Listen(t, &tls.Config{
		Certificates: []tls.Certificate{ca.Pair(2, time.Now().Add(time.Hour), "127.0.0.1")},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
	}, nil)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	pair := ca.Pair(3, time.Now().Add(time.Hour))
	pair.PrivateKey = signer{pair.PrivateKey.(crypto.Signer)}
	cfg := Config{
		Broker: "127.0.0.1", Port: port, Tuning: Tuning{ClientID: "x"},
		Credentials: Credentials{CAFile: caFile, Certificate: func() (*tls.Certificate, error) { return &pair, nil }},
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close(t.Context())
	if _, err := k.Up(t.Context()); err != nil {
		t.Errorf("got %v, want a connection", err)
	}

	cfg.Credentials.KeyFile = "k"
	if _, err := New(cfg); !errors.Is(err, fault.ErrConfig) {
		t.Errorf("with a key file as well: got %v, want %v", err, fault.ErrConfig)
	}
	cfg.Credentials.KeyFile = ""
	for _, give := range []func() (*tls.Certificate, error){
		func() (*tls.Certificate, error) { return nil, errors.New("no token") },
		func() (*tls.Certificate, error) { return nil, nil },
		func() (*tls.Certificate, error) { return &tls.Certificate{Certificate: pair.Certificate}, nil },
	} {
		cfg.Credentials.Certificate = give
		if _, err := New(cfg); !errors.Is(err, fault.ErrCredentials) {
			t.Errorf("got %v, want %v", err, fault.ErrCredentials)
		}
	}
}
