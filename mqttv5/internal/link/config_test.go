package link

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
)

func TestPlaintextIsForLoopbackOnly(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "[::1]": true, "10.0.0.1": false, "localhost.evil": false, "": false, "0.0.0.0": false} {
		if isLoopback(host) != want {
			t.Errorf("%q: got %v, want %v", host, !want, want)
		}
	}
}

func TestALPNIsForPort443AndTLSIsAtLeast12(t *testing.T) {
	ca := catest.New(t)
	certFile, keyFile, caFile := ca.Write(t.TempDir(), 1, time.Now().Add(time.Hour))
	for port, want := range map[int]string{443: "x-amzn-mqtt-ca", 8883: ""} {
		cfg, err := newIdentity(&Config{Broker: "mqtt.ulogger.ai", Port: port, Credentials: Credentials{CertFile: certFile, KeyFile: keyFile, CAFile: caFile}}).load()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(cfg.NextProtos, ","); got != want {
			t.Errorf("port %d: ALPN %q, want %q", port, got, want)
		}
		if cfg.MinVersion != tls.VersionTLS12 || cfg.ServerName != "mqtt.ulogger.ai" || cfg.InsecureSkipVerify {
			t.Errorf("port %d: got %s, server %q, InsecureSkipVerify %v, want %s, \"mqtt.ulogger.ai\" and false",
				port, tls.VersionName(cfg.MinVersion), cfg.ServerName, cfg.InsecureSkipVerify, tls.VersionName(tls.VersionTLS12))
		}
		if _, err := cfg.Certificates[0].Leaf.Verify(x509.VerifyOptions{Roots: cfg.RootCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Error(err)
		}
	}
}
