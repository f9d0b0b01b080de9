// Package catest is the certificate authority of the tests: for brokers, NATS
// servers and receivers of theirs, and for certificates that are wrong on purpose.
// Tests alone use it.
package catest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// TB is what ends a test: *testing.T, *testing.B or a script of testscript.
type TB interface {
	Fatalf(format string, args ...any)
}

// CA issues certificates.
type CA struct {
	t    TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	PEM  []byte // the authority itself
}

// New returns an authority that is valid for an hour.
func New(t TB) *CA {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("test CA: %v", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatalf("test CA: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("test CA: %v", err)
	}
	return &CA{t, key, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// Pool returns the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}

// Issue issues a certificate for a client or for hosts.
func (ca *CA) Issue(serial int64, notAfter time.Time, hosts ...string) (certPEM, keyPEM []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		ca.t.Fatalf("test CA: %v", err)
	}

	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}

	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		ca.t.Fatalf("test CA: %v", err)
	}

	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		ca.t.Fatalf("test CA: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// Pair is Issue for crypto/tls.
func (ca *CA) Pair(serial int64, notAfter time.Time, hosts ...string) tls.Certificate {
	pair, err := tls.X509KeyPair(ca.Issue(serial, notAfter, hosts...))
	if err != nil {
		ca.t.Fatalf("test CA: %v", err)
	}
	return pair
}

// Write writes a client certificate with its key, and the CA, below a directory.
func (ca *CA) Write(dir string, serial int64, notAfter time.Time) (certFile, keyFile, caFile string) {
	certPEM, keyPEM := ca.Issue(serial, notAfter)
	certFile, keyFile, caFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	for name, b := range map[string][]byte{certFile: certPEM, keyFile: keyPEM, caFile: ca.PEM} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			ca.t.Fatalf("test CA: %v", err)
		}
	}
	return certFile, keyFile, caFile
}
