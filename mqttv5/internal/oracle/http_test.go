package oracle

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// answer is what the server says to one request after the other; the last one again.
type answer struct {
	status int
	header string // "Name: value"
	body   string
}

// httpAnswers are answers of the cloud's HTTP interface (LIBRARY, section 7).
var httpAnswers = map[string][]answer{
	"success":              {{200, "", `{"success":true,"message":"ok"}`}},
	"created":              {{201, "", `{"success": true}`}},
	"success false":        {{200, "", `{"success":false}`}},
	"success missing":      {{200, "", `{}`}},
	"success no bool":      {{200, "", `{"success":"yes"}`}},
	"no object":            {{200, "", `[true]`}},
	"no JSON":              {{200, "", `<html>ok</html>`}},
	"empty":                {{200, "", ""}},
	"no content":           {{204, "", ""}},
	"accepted":             {{202, "", ""}},
	"bad request":          {{400, "", `{"success":false,"errors":["metrics[0].name"]}`}},
	"unauthorized":         {{401, "", `{"success":false}`}},
	"forbidden success":    {{403, "", `{"success":true}`}},
	"not found":            {{404, "", ""}},
	"busy, then success":   {{429, "Retry-After: 0", ""}, {200, "", `{"success":true}`}},
	"failing, then good":   {{503, "", ""}, {200, "", `{"success":true}`}},
	"failing":              {{500, "", `{"success":true}`}},
	"success, then denied": {{200, "", `{"success":true}`}, {400, "", ""}},
	"redirect 301":         {{301, "Location: /elsewhere", ""}},
	"redirect 307":         {{307, "Location: /elsewhere", ""}},
}

// seen is a request as the server saw it, its body unpacked and as values.
type seen struct{ method, path, token, kind, encoding, body string }

// server answers by the first level of the path, "/ours/CASE" and "/theirs/CASE".
type server struct {
	mu       sync.Mutex
	requests map[string][]seen // by the first two levels
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "gzip" {
		body, _ = telemetry.Unpack(body)
	}
	if v := any(nil); json.Unmarshal(body, &v) == nil {
		body, _ = json.Marshal(v)
	}
	levels := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
	if len(levels) < 3 { // where a redirect leads; it is of the case whose token it bears
		levels = append(strings.SplitN(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "/", 2), r.URL.Path)
	}
	who := levels[0] + "/" + levels[1]
	s.mu.Lock()
	n := len(s.requests[who])
	s.requests[who] = append(s.requests[who], seen{r.Method, levels[2], r.Header.Get("Authorization"), r.Header.Get("Content-Type"), encoding, string(body)})
	s.mu.Unlock()

	list := httpAnswers[strings.ReplaceAll(levels[1], "_", " ")]
	if r.URL.Path == "/elsewhere" || len(list) == 0 {
		list = []answer{{200, "", `{"success":true}`}}
	}
	a := list[min(n, len(list)-1)]
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

// story tells how a side fared: the verdict, and the requests that it took.
func (s *server) story(who string, ok bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var methods []string
	for _, r := range s.requests[who] {
		methods = append(methods, r.method)
		if r.token != "" && !strings.HasPrefix(r.path, "publish/") {
			methods[len(methods)-1] += " with the token"
		}
	}
	return fmt.Sprintf("%v after %s", ok, strings.Join(methods, ", "))
}

// Both sides post the same, and draw the same from what the cloud answers.
func testHTTP(t *testing.T, l *library) {
	s := &server{requests: make(map[string][]seen)}
	web := httptest.NewTLSServer(s)
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l.call(t, request{Call: "environ", Args: []any{map[string]any{"SSL_CERT_FILE": ca, "NO_PROXY": "127.0.0.1"}}}, nil)

	at := time.Unix(1732829000, 250_000_000)
	metrics := []telemetry.Metric{{Name: "t", Value: 21.5, Time: at}, {Name: `é "`, Value: 1 << 40}}
	message, err := telemetry.Encode("PY-1", metrics)
	if err != nil {
		t.Fatal(err)
	}
	jsonMetrics := []any{map[string]any{"name": "t", "value": 21.5, "timestamp": 1732829000.25}, map[string]any{"name": `é "`, "value": 1 << 40}}
	cfg := config(map[string]any{"customer_id": 42, "group_id": 0})

	// post lets both sides send one report and returns how they fared.
	post := func(t *testing.T, name string, kind telemetry.Kind, message []byte, how telemetry.Compression, call request) (ours, theirs string) {
		t.Helper()
		base := func(side string) (url, token string) {
			who := side + "/" + strings.ReplaceAll(name, " ", "_")
			return web.URL + "/" + who + "/", who
		}
		url, who := base("ours")
		api := telemetry.API{Token: who, BaseURL: url, Attempts: 2, Pause: time.Millisecond, Transport: web.Client().Transport}
		err := api.Send(t.Context(), kind, application, message, how)
		ours = s.story(who, err == nil)
		if err != nil && strings.Contains(err.Error(), who) {
			t.Errorf("got %q, want no token in it", err)
		}

		url, who = base("theirs")
		call.Args = append(call.Args, cfg)
		if call.With == nil {
			call.With = map[string]any{}
		}
		call.With["api_token"], call.With["api_base_url"] = who, url
		var ok bool
		l.call(t, call, &ok)
		return ours, s.story(who, ok)
	}

	table := newLedger("HTTP")
	names := make([]string, 0, len(httpAnswers))
	for name := range httpAnswers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		ours, theirs := post(t, name, telemetry.KindMetrics, message, telemetry.CompressNever, request{Call: "publish_metrics", Args: []any{"PY-1", application, jsonMetrics}})
		table.compare(t, name, ours, theirs)
	}
	table.done(t)

	// What is posted: alone, as a heartbeat, and in batches, compressed and not.
	heartbeat, err := telemetry.Encode("PY-1", []telemetry.Metric{telemetry.Heartbeat(at)})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := telemetry.EncodeBatch([]telemetry.Device[telemetry.Event]{{Serial: "A", ApplicationID: 9, Samples: []telemetry.Event{{Type: "door", Time: at}}}})
	if err != nil {
		t.Fatal(err)
	}
	jsonBatch := []any{map[string]any{"device_serial": "A", "app_id": 9, "events": []any{map[string]any{"type": "door", "timestamp": 1732829000.25}}}}
	for _, c := range []struct {
		name    string
		kind    telemetry.Kind
		message []byte
		how     telemetry.Compression
		call    request
	}{
		{"one", telemetry.KindMetrics, message, telemetry.CompressNever, request{Call: "publish_metrics", Args: []any{"PY-1", application, jsonMetrics}}},
		{"beat", telemetry.KindMetrics, heartbeat, telemetry.CompressNever, request{Call: "publish_heartbeat", Args: []any{"PY-1", application}, With: map[string]any{"timestamp": 1732829000.25}}},
		{"batch", telemetry.KindEvents, batch, telemetry.CompressAuto, request{Call: "publish_events_batch", Args: []any{jsonBatch, application}}},
		{"packed", telemetry.KindEvents, batch, telemetry.CompressAlways, request{Call: "publish_events_batch", Args: []any{jsonBatch, application}, With: map[string]any{"compress": true}}},
	} {
		if ours, theirs := post(t, c.name, c.kind, c.message, c.how, c.call); ours != "true after POST" || theirs != ours {
			t.Errorf("%s: got %q, and %q of the library, want \"true after POST\" of both", c.name, ours, theirs)
			continue
		}
		a, b := s.requests["ours/"+c.name][0], s.requests["theirs/"+c.name][0]
		if a.token != "Bearer ours/"+c.name || b.token != "Bearer theirs/"+c.name {
			t.Errorf("%s: tokens %q and %q, want token %v and token %v", c.name, a.token, b.token, "Bearer ours/"+c.name, "Bearer theirs/"+c.name)
		}
		if a.token, b.token = "", ""; a != b || !bytes.Contains([]byte(a.body), []byte(`"group_id":"0"`)) {
			t.Errorf("%s:\ngot  %+v\nwant %+v as the library, with \"group_id\":\"0\"", c.name, a, b)
		}
	}
}
