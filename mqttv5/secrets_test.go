package mqttv5

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A canary is planted in each secret: the token, the private key, the payloads,
// and the presigned query. Everything that a person may see is collected while the
// client does all it can, well and badly, and none may be in it.
func TestSecretsNeverShown(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Strict: localcloud.Strict{CheckTokens: true}})
	var mu sync.Mutex
	var shown bytes.Buffer
	show := func(args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(&shown, args...)
	}
	logger := slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &shown}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := cloudConfig(cloud)
	cfg.Hooks.Logger = logger
	cfg.Hooks.Event = func(e Event) { show(fmt.Sprintf("%+v", e)) }
	cfg.Tuning.MinBackoff = 10 * time.Millisecond
	c := newClient(t, cfg)
	o, err := OpenOutbox(OutboxConfig{Dir: t.TempDir(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	dev := testDevice(1)
	ctx := within(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	canary := "canaryPAYLOAD"
	log, err := format.NewLogBuilder(3)
	must(err)
	must(log.Add(&format.Record{Args: []format.Arg{format.ArgString(canary)}}))
	buf, err := log.AppendTo(nil)
	must(err)

	r, err := c.UploadLog(ctx, dev, buf)
	must(err)
	show(fmt.Sprintf("%+v", r))
	_, err = c.PublishText(ctx, dev, []TextEntry{{Time: 1, Level: 1, Text: canary}})
	must(err)
	_, err = c.PublishCoreDump(ctx, formattest.DumpBytes(t)[0])
	must(err)
	f, _ := testFirmware(10_000)
	must(c.UploadFirmware(ctx, f))
	token, _ := cloud.Token(dev.ApplicationID, dev.DeviceSerial)
	stop := deliverIn(t, c, o)
	_, err = o.SubmitLog(ctx, dev, buf)
	must(err)
	must(o.WaitEmpty(ctx))
	// And badly.
	cloud.ForgetTokens()
	old, err := payload.WithToken(buf, token)
	must(err)
	_, err = c.PublishBinaryLog(ctx, dev, old)
	if !errors.Is(err, ErrRefused) {
		t.Errorf("forgotten session: got %v, want %v", err, ErrRefused)
	}
	show(err)
	second, _ := cloud.Token(dev.ApplicationID, dev.DeviceSerial)
	bad := bytes.Clone(buf)
	bad[len(bad)-1] ^= 1
	_, err = c.UploadLog(ctx, dev, bad)
	show(err)
	_, err = o.SubmitLog(ctx, dev, buf) // registers anew
	must(err)
	must(o.WaitEmpty(ctx))
	third, _ := cloud.Token(dev.ApplicationID, dev.DeviceSerial)
	_, err = o.SubmitText(ctx, dev, []TextEntry{{Time: 1, Level: 9, Text: canary}})
	show(err)
	_, err = ParseLogConfig([]byte(`{"log_level":"` + canary + `"}`))
	show(err)
	cloud.Disconnect()
	_, err = c.GetSessionToken(ctx, dev)
	must(err)
	for r, err := range o.Records() {
		show(r, err)
	}
	for f := range Diagnose(ctx, cfg, dev) {
		show(f)
	}
	must(stop())
	show(fmt.Sprintf("%+v %v", o.Stats(), o.Dir()))
	reg := prometheus.NewRegistry()
	must(reg.Register(NewCollector(c, o)))
	list, err := reg.Gather()
	must(err)
	for _, m := range list {
		var b bytes.Buffer
		_, err := expfmt.MetricFamilyToText(&b, m)
		must(err)
		show(b.String())
	}
	must(c.Close())
	show(fmt.Sprintf("%v", cfg))

	key, err := os.ReadFile(cloud.KeyFile())
	must(err)
	secrets := map[string]string{"payload": canary, "signature": "X-Signature", "key": strings.Split(string(key), "\n")[1]}
	for _, n := range []uint32{token, second, third} {
		if n != 0 {
			secrets[fmt.Sprintf("token %d", n)] = fmt.Sprint(n)
			secrets[fmt.Sprintf("token 0x%x", n)] = fmt.Sprintf("%08x", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	text := shown.String()
	if !strings.Contains(text, "connected") || !strings.Contains(text, "ulogkit_mqtt_connects_total") || len(text) < 2000 {
		t.Errorf("got %d bytes collected, want 2000 or more with \"connected\" and \"ulogkit_mqtt_connects_total\": %q", len(text), text)
	}
	for name, s := range secrets {
		if at := regexp.MustCompile(`\b` + regexp.QuoteMeta(s) + `\b`).FindStringIndex(text); at != nil {
			t.Errorf("%s: got it in ...%s..., want it shown nowhere", name, text[max(0, at[0]-80):min(len(text), at[1]+20)])
		}
	}
}
