package localcloud

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Throwaway certificates live this long.
const certLife = 30 * 24 * time.Hour

// authority is a throwaway CA. Its key never leaves the process.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	der  []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(throwawayName + " CA")
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{key, cert, der}, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(certLife),
	}
}

// issue returns a certificate chain and key in PEM.
func (a *authority) issue(name string, usage x509.ExtKeyUsage, hosts ...string) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}

	t := template(name)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}

	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}

	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// files are the names of the certificates below a directory.
type files struct{ ca, cert, key string }

func filesIn(dir string) files {
	return files{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")}
}

// write writes the CA's certificate and a client certificate with its key, the key
// for its owner alone.
func (f files) write(a *authority) error {
	certPEM, keyPEM, err := a.issue(throwawayName+" client", x509.ExtKeyUsageClientAuth)
	if err != nil {
		return err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
	if err := f.mayReplace(); err != nil {
		return err
	}
	for _, w := range []struct {
		name string
		b    []byte
		mode os.FileMode
	}{{f.ca, caPEM, 0o644}, {f.cert, certPEM, 0o644}, {f.key, keyPEM, 0o600}} {
		if err := durable.ReplaceFile(w.name, w.b, w.mode); err != nil {
			return err
		}
	}
	return nil
}

// ErrForeign means that the folder for certificates holds some that are not the
// stand-in's.
var ErrForeign = errors.New("certificates of somebody else")

// mayReplace reports whether what is there was written here: certificates that say
// so, and a key that stands beside one.
func (f files) mayReplace() error {
	throwaway := false
	for _, name := range []string{f.ca, f.cert, f.key} {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}

		block, _ := pem.Decode(b)
		ours := block != nil && block.Type == "PRIVATE KEY" && throwaway
		if block != nil && block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			ours = err == nil && strings.HasPrefix(c.Subject.CommonName, throwawayName)
			throwaway = ours && name == f.cert
		}

		if !ours {
			return fmt.Errorf("%s: %w, which were left alone; give another folder", name, ErrForeign)
		}
	}
	return nil
}

// throwawayName is what the names of all certificates made here begin with.
const throwawayName = "ulogkit throwaway"

// serverTLS returns the broker's side of mTLS.
func (a *authority) serverTLS(host string) (*tls.Config, error) {
	certPEM, keyPEM, err := a.issue(throwawayName+" broker", x509.ExtKeyUsageServerAuth, host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("throwaway certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
		NextProtos:   []string{"x-amzn-mqtt-ca", "mqtt"},
	}, nil
}
