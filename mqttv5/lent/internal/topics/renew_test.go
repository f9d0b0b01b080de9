package topics

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

// Topics are subscribed to again one after the other, each until it is granted; one
// that nobody waits for any more is not waited for, and is left if it was granted.
func TestRenewTriesUntilGrantedOrUnwanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Set
		for _, topic := range []string{"a", "gone", "late", "z"} {
			s.Add(topic, func(lent.Received) {})
		}
		var did []string
		failures := 2
		begun := time.Now()
		s.Renew(t.Context(), s.List(), Calls{
			Subscribe: func(_ context.Context, topic string) error {
				did = append(did, "subscribe "+topic)
				switch {
				case topic == "a" && failures > 0:
					failures--
					return errors.New("busy")
				case topic == "gone":
					s.Remove(topic)
					return errors.New("busy")
				case topic == "late":
					s.Remove(topic)
				}
				return nil
			},
			Unsubscribe: func(_ context.Context, topic string) error { did = append(did, "unsubscribe "+topic); return nil },
			Failed:      func(topic string, err error) { did = append(did, topic+": "+err.Error()) },
			Alive:       func() bool { return true },
		})

		want := []string{
			"subscribe a", "a: busy", "subscribe a", "a: busy", "subscribe a",
			"subscribe gone", "gone: busy", "subscribe late", "unsubscribe late", "subscribe z",
		}
		if !slices.Equal(did, want) {
			t.Errorf("got  %q\nwant %q", did, want)
		}

		if got := time.Since(begun); got != 2*pause {
			t.Errorf("got %v of waiting, want %v", got, 2*pause)
		}
	})
}

// Nothing is waited for on a connection that has ended.
func TestRenewEndsWithItsContextOrConnection(t *testing.T) {
	for name, cause := range map[string]func(stop context.CancelFunc, alive *bool){
		"the context":    func(stop context.CancelFunc, _ *bool) { stop() },
		"the connection": func(_ context.CancelFunc, alive *bool) { *alive = false },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Set
				s.Add("a", func(lent.Received) {})
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				alive, tries := true, 0
				begun := time.Now()
				s.Renew(ctx, s.List(), Calls{
					Subscribe: func(context.Context, string) error { tries++; cause(stop, &alive); return errors.New("gone") },
					Failed:    func(string, error) {},
					Alive:     func() bool { return alive },
				})
				if got := time.Since(begun); tries != 1 || got >= pause {
					t.Errorf("got %d attempts in %v, want one and no pause", tries, got)
				}
			})
		})
	}
}
