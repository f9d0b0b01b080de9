package link

import (
	"errors"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// noAuth refuses enhanced authentication, which nobody asked for. Without a
// handler paho calls a nil one when a CONNACK names a method. It implements
// paho.Auther.
type noAuth struct {
	fail func(error) // ends the connection
}

// Authenticate implements paho.Auther.
func (a noAuth) Authenticate(*paho.Auth) *paho.Auth {
	a.fail(errors.New("broker wants enhanced authentication; uLogger uses certificates"))
	return &paho.Auth{ReasonCode: packets.AuthContinueAuthentication, Properties: &paho.AuthProperties{}}
}

// Authenticated implements paho.Auther.
func (noAuth) Authenticated() {}
