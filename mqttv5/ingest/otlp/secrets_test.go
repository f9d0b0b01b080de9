package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// A canary is planted in each secret: the password and the query of the URL, a
// header, a session token and a payload. They reach the receiver, and nothing that
// a person sees.
func TestSecretsNeverShown(t *testing.T) {
	const token = 3_141_592_653
	secrets := []string{"canaryUSER", "canaryPASSWORD", "canaryQUERY", "canaryHEADER", "canaryPAYLOAD", fmt.Sprint(token), fmt.Sprintf("%x", token)}
	r := newReceiver(t)
	var shown bytes.Buffer
	src := &memorySource{lost: map[uint64]bool{2: true}}
	for i := range 6 {
		src.add(logRecord(t, i, 3, token, &format.Record{FmtAddr: 1, Args: []format.Arg{format.ArgString("canaryPAYLOAD")}}))
	}
	src.records[2].Reason = "not intact"
	src.records[3].Payload = src.records[3].Payload[:20] // as if it had passed
	cut := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }

	rejects := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write([]byte{0x0a, 0x06, 0x08, 0x01, 0x12, 0x02, 'n', 'o'})
	}

	r.script = []func(http.ResponseWriter){status(503), cut, rejects, status(404)}
	url := strings.Replace(r.srv.URL, "://", "://canaryUSER:canaryPASSWORD@", 1)
	e := newExporter(t, Config{
		URL: url, Source: src, BatchRecords: 1, Headers: map[string]string{"X-Key": "canaryHEADER"},
		Logger: slog.New(slog.NewTextHandler(&shown, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})

	err := e.Drain(t.Context())
	if refused := (*refusal)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), r.srv.URL+"/v1/logs") {
		t.Errorf("error %v, want the refusal with the receiver's address", err)
	}
	fmt.Fprintf(&shown, "%v\n%+v\n", err, e.Stats())
	r.srv.Close()
	r.srv.CloseClientConnections()
	for _, bad := range []string{
		url + "?canaryQUERY", url + "#canaryQUERY", "canaryUSER:canaryPASSWORD@host:4318", "ftp" + url, url + "\x00", "http://canaryUSER:canaryPASSWORD@host:canaryQUERY",
	} {
		_, err := New(Config{URL: bad, Source: src})
		if err == nil || !strings.Contains(err.Error(), "http://HOST:PORT") {
			t.Errorf("error %v, want one that says the form", err)
		}
		fmt.Fprintln(&shown, err)
	}

	h := r.headers[len(r.headers)-1]
	if user, password, ok := (&http.Request{Header: h}).BasicAuth(); !ok || user != "canaryUSER" || password != "canaryPASSWORD" || h.Get("X-Key") != "canaryHEADER" {
		t.Errorf("got %v at the receiver, want the user, the password and the header of the configuration", h)
	}
	text := shown.String()
	if strings.Count(text, "\n") < 8 {
		t.Errorf("got %q collected, want at least 8 lines", text)
	}

	for _, s := range secrets {
		if i := strings.Index(text, s); i >= 0 {
			t.Errorf("got %s shown, want it nowhere: ...%s...", s, text[max(0, i-80):min(len(text), i+20)])
		}
	}
}
