package main

import (
	"context"
	"crypto/tls"
	"os"
	"slices"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ulogkit/ulogkit/mqttv5/catest"
)

// natsServer starts a server as those of a company are: with TLS, and with users
// whose credentials an operator's account has signed.
func natsServer(ts *testscript.TestScript, _ bool, _ []string) {
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		key, err := make()
		ts.Check(err)
		public, err := key.PublicKey()
		ts.Check(err)
		return key, public
	}
	operator, operatorName := pair(nkeys.CreateOperator)
	fleet, fleetName := pair(nkeys.CreateAccount)
	claims := jwt.NewAccountClaims(fleetName)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	_, system := pair(nkeys.CreateAccount)
	accounts := &server.MemAccResolver{}
	for _, c := range []*jwt.AccountClaims{claims, jwt.NewAccountClaims(system)} {
		signed, err := c.Encode(operator)
		ts.Check(err)
		ts.Check(accounts.Store(c.Subject, signed))
	}
	user, userName := pair(nkeys.CreateUser)
	signed, err := jwt.NewUserClaims(userName).Encode(fleet)
	ts.Check(err)
	seed, err := user.Seed()
	ts.Check(err)
	credentials, err := jwt.FormatUserConfig(signed, seed)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("nats.creds"), credentials, 0o600))

	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: ts.MkAbs("jetstream"), NoLog: true, NoSigs: true,
		TrustedOperators: []*jwt.OperatorClaims{jwt.NewOperatorClaims(operatorName)}, AccountResolver: accounts, SystemAccount: system,
		TLS: true, TLSConfig: natsCertificate(ts), TLSTimeout: 10,
	})
	ts.Check(err)
	s.Start()
	ts.Defer(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(2 * time.Minute) {
		ts.Fatalf("got no start of the NATS server, want one")
	}
	ts.Setenv("NATS", "nats://"+s.Addr().String())
	ts.SetCmd("streams", func(ts *testscript.TestScript, _ bool, want []string) {
		nc, err := client.Connect(ts.Getenv("NATS"), client.UserCredentials(ts.MkAbs("nats.creds")), client.RootCAs(ts.MkAbs("nats-ca.pem")))
		ts.Check(err)
		defer nc.Close()
		js, err := jetstream.New(nc)
		ts.Check(err)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		names := js.StreamNames(ctx)
		var got []string
		for name := range names.Name() {
			got = append(got, name)
		}
		ts.Check(names.Err())
		slices.Sort(got)
		if !slices.Equal(got, want) {
			ts.Fatalf("got the streams %q, want %q", got, want)
		}
	})
}

// natsCertificate makes a certificate for loopback, and writes nats-ca.pem.
func natsCertificate(ts *testscript.TestScript) *tls.Config {
	ca := catest.New(ts)
	ts.Check(os.WriteFile(ts.MkAbs("nats-ca.pem"), ca.PEM, 0o644))
	pair := ca.Pair(1, time.Now().Add(time.Hour), "127.0.0.1")
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}
