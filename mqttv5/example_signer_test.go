package mqttv5_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// A key that never leaves its TPM or PKCS#11 token signs there: the libraries for
// both give a crypto.Signer.
func ExampleConfig_certificate() {
	openKey := func() (crypto.Signer, error) {
		return nil, errors.New("no token in the slot") // here the library of the token
	}
	_, err := mqttv5.New(mqttv5.Config{
		CustomerID: "42",
		Certificate: func() (*tls.Certificate, error) {
			key, err := openKey()
			if err != nil {
				return nil, err
			}
			text, err := os.ReadFile("client.pem")
			if err != nil {
				return nil, err
			}
			block, _ := pem.Decode(text)
			if block == nil {
				return nil, errors.New("client.pem is not PEM")
			}
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			return &tls.Certificate{Certificate: [][]byte{block.Bytes}, Leaf: leaf, PrivateKey: key}, nil
		},
	})

	fmt.Println(err)
	// Output: get the client certificate: no token in the slot
}
