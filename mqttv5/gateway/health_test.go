package gateway

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// Health says what the client's events said: no connection although one was tried is a
// fault even while nothing waits, and losses are counted.
func TestHealthFollowsTheEvents(t *testing.T) {
	o, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	g := &Gateway{cfg: Config{Outbox: o}}
	refused := errors.New("connection refused")

	for i, step := range []struct {
		event mqttv5.Event
		code  int
		want  Health
	}{
		{mqttv5.Event{}, 200, Health{}}, // nothing yet, and nothing to do
		{mqttv5.Event{Kind: mqttv5.EventDisconnected, Err: refused}, 503, Health{Trouble: "connection refused"}},
		{mqttv5.Event{Kind: mqttv5.EventConnected}, 200, Health{Connected: true}},
		{mqttv5.Event{Kind: mqttv5.EventNoSubscriber}, 200, Health{Connected: true, Nobody: 1}},
		{mqttv5.Event{Kind: mqttv5.EventDisconnected, Err: refused}, 503, Health{Trouble: "connection refused", Nobody: 1}},
	} {
		g.Event(step.event)
		answer := httptest.NewRecorder()
		g.ServeHTTP(answer, nil)
		var got Health
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Since.IsZero() == (i >= 2) {
			t.Errorf("step %d: got since %v, want one from step 2 on", i, got.Since)
		}
		got.Since = step.want.Since
		if answer.Code != step.code || got != step.want {
			t.Errorf("step %d: got %d %+v, want %d %+v", i, answer.Code, got, step.code, step.want)
		}
	}
}

// Other programs may read the configuration of a device.
func TestConfigIsReadableByOthers(t *testing.T) {
	dir := t.TempDir()
	g := &Gateway{cfg: Config{ConfigDir: dir}}
	if err := g.handOn(t.Context(), logConfig{Serial: "SN-1", Level: "debug"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "SN-1.json")); err != nil || info.Mode() != 0o644 {
		t.Errorf("got mode %v, %v, want 0644", info.Mode(), err)
	}
}
