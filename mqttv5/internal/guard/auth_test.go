package guard

import (
	"errors"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
)

func TestNoAuth(t *testing.T) {
	var failed error
	var a paho.Auther = NoAuth{Fail: func(err error) { failed = err }}
	if answer := a.Authenticate(&paho.Auth{}); answer == nil || answer.Packet() == nil {
		t.Error("paho gets nothing that it can send")
	}
	if failed == nil || !strings.Contains(failed.Error(), "enhanced authentication") || errors.Is(failed, ErrHostile) {
		t.Errorf("connection ended by %v", failed)
	}
	a.Authenticated()
}
