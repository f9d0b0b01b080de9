package link

import (
	"errors"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

func TestEnhancedAuthenticationEndsTheConnection(t *testing.T) {
	var failed error
	var a paho.Auther = noAuth{fail: func(err error) { failed = err }}
	if answer := a.Authenticate(&paho.Auth{}); answer == nil || answer.Packet() == nil {
		t.Errorf("got answer %v, want one that paho can send", answer)
	}
	if failed == nil || !strings.Contains(failed.Error(), "enhanced authentication") || errors.Is(failed, guard.ErrHostile) {
		t.Errorf("got the connection ended by %v, want enhanced authentication named", failed)
	}
	a.Authenticated()
}
