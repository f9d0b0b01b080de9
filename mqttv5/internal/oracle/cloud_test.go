package oracle

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// visit is how the library reaches the stand-in.
type visit struct {
	port   int
	with   map[string]any // of its MqttConfig
	config []byte         // log configuration that the stand-in sends; nil: not asked for
}

// useLibrary calls all that a version of the library can do, and wants each call to
// succeed. It returns what the far side is to hold.
func useLibrary(t *testing.T, l *library, version, serial string, v visit) (kinds map[localcloud.Kind]int) {
	t.Helper()
	_, who := device(serial)
	cfg := config(v.with)
	log := formattest.LogBytes(t)[0]
	kinds = map[localcloud.Kind]int{localcloud.KindLog: 1, localcloud.KindCoreDump: 1}
	calls := []request{
		{Call: "upload_log", Args: []any{who, octets(log), cfg}, With: map[string]any{"store": object("SessionStore", nil)}},
		{Call: "publish_core_dump", Args: []any{octets(formattest.DumpBytes(t)[0]), cfg}},
	}

	if version == newest && v.with["cert_file"] != nil {
		// Over MQTT it sends telemetry with a certificate only.
		metrics := []map[string]any{{"name": "temperature", "value": 21.5}, {"name": "é \"", "value": 1 << 40, "timestamp": 1732829000.25}}
		events := []map[string]any{{"type": "door", "timestamp": 1732829000}}
		batch := func(kind string, list any, n int) (devices []map[string]any) {
			for i := range n {
				devices = append(devices, map[string]any{"device_serial": fmt.Sprint(serial, "-", i), kind: list, "app_id": "9"})
			}
			return devices
		}

		calls = append(
			calls,
			request{Call: "publish_metrics", Args: []any{serial, application, metrics, cfg}},
			request{Call: "publish_events", Args: []any{serial, "7", events, cfg}},
			request{Call: "publish_heartbeat", Args: []any{serial, application, cfg}},
			request{Call: "publish_metrics_batch", Args: []any{batch("metrics", metrics, 50), application, cfg}},
			request{Call: "publish_events_batch", Args: []any{batch("events", events, 2), application, cfg}, With: map[string]any{"compress": true}},
			request{Call: "publish_events_batch", Args: []any{batch("events", events, 2), application, cfg}, With: map[string]any{"compress": false}},
		)

		kinds[localcloud.KindMetrics], kinds[localcloud.KindEvents] = 3, 3
	}

	done := make(chan error, len(calls)+1)
	for _, r := range calls {
		go func() {
			a, err := l.ask(r)
			if err == nil && (a.Error != "" || string(a.Result) != "true") {
				err = fmt.Errorf("%s: %s %s", r.Call, a.Result, a.Error)
			}
			done <- err
		}()
	}

	if v.config != nil {
		calls = append(calls, request{})
		go func() {
			a, err := l.ask(request{Call: "wait_for_log_config", Args: []any{who, cfg}, With: map[string]any{"timeout": enough}})
			if err == nil && (a.Error != "" || !strings.Contains(string(a.Result), `"log_modules": ["COMM"]`)) {
				err = fmt.Errorf("wait_for_log_config: %s %s", a.Result, a.Error)
			}
			done <- err
		}()
	}

	for range calls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}

	return kinds
}

// checkReceived wants exactly what was sent, each message good, the log with the
// token that the cloud gave.
func checkReceived(t *testing.T, c *localcloud.Cloud, serial string, want map[localcloud.Kind]int) {
	t.Helper()
	n := 0
	for _, k := range want {
		n += k
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all, err := c.WaitReceived(ctx, n)
	if err != nil {
		t.Error(err)
	}

	got := map[localcloud.Kind]int{}
	for _, r := range all {
		got[r.Kind]++
		if r.Err != nil {
			t.Errorf("%s on %s: got error %v, want none", r.Kind, r.Topic, r.Err)
		}
		if r.Kind != localcloud.KindLog {
			continue
		}
		token, ok := c.Token(application, serial)
		v, _, err := format.ParseLog(r.Payload)
		if err != nil || !ok || v.SessionToken() != token || r.DeviceSerial != serial {
			t.Errorf("log of %q with token %v, want %d", r.DeviceSerial, v, token)
		}
	}

	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("received %v, want %v", got, want)
	}
}

// Whatever the library can do works with the stand-in, in the newest version and in
// the one that knows no group, over mutual TLS, plain and behind a prefix (case
// seed/cloud-mqtt311).
func testStandIn(t *testing.T, l *library, version string) {
	logConfig := []byte(nine + `["COMM"]`)
	for name, s := range map[string]struct {
		plain, strict bool
		prefix        string
		group         any
	}{
		"TLS": {group: 0}, "plain": {plain: true, group: "g1"}, "strict": {group: 0, strict: true}, "prefix": {group: 0, prefix: "ulogger/"},
	} {
		if version == oldest {
			s.group = nil
			if s.prefix != "" {
				continue
			}
		}

		t.Run(name, func(t *testing.T) {
			cfg := localcloud.Config{Plaintext: s.plain, CustomerID: customer, Prefix: s.prefix, LogConfig: logConfig, Strict: localcloud.Strict{CheckTokens: true}}
			if s.strict {
				cfg.Strict = localcloud.AWS()
			}
			cfg.OnViolation = func(v localcloud.Violation) { t.Errorf("%s: got the violation %q, want none", v.ClientID, v.Reason) }
			c, err := localcloud.Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			v := visit{port: c.Port(), with: plain(c.Port(), s.group)}
			if !s.plain {
				l.call(t, request{Call: "environ", Args: []any{map[string]any{"SSL_CERT_FILE": c.CAFile()}}}, nil)
				v.with["cert_file"], v.with["key_file"] = map[string]any{"$path": c.CertFile()}, map[string]any{"$path": c.KeyFile()} // text is no path to 1.1.0
			}

			if s.prefix != "" {
				v.with["topic_prefix"] = s.prefix
			}
			if version == newest {
				v.config = logConfig
			}
			checkReceived(t, c, "PY-1", useLibrary(t, l, version, "PY-1", v))
		})
	}
}

// A gateway behind mosquitto, which bridges "ulogger/" to the cloud as the library's
// README says, reaches the stand-in with either version of MQTT.
func testBridge(t *testing.T, l *library) {
	program := "mosquitto"
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
		} else if name != "mosquitto" && program == "mosquitto" {
			if os.Getenv("CI") == "true" {
				t.Fatal("got no mosquitto, want it installed; apt-get install mosquitto")
			}
			t.Skip("mosquitto is not installed")
		}
	}
	for _, protocol := range []string{"mqttv311", "mqttv50"} {
		t.Run(protocol, func(t *testing.T) {
			c, err := localcloud.Start(t.Context(), localcloud.Config{CustomerID: customer, Strict: localcloud.Strict{CheckTokens: true}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			port := freePort(t)
			startMosquitto(t, program, fmt.Sprintf(`listener %d 127.0.0.1
allow_anonymous true
connection ulogger
address %s
bridge_cafile %s
bridge_certfile %s
bridge_keyfile %s
bridge_protocol_version %s
cleansession true
notifications false
topic # out 1 ulogger/ ""
topic # in 1 ulogger/ ""
`, port, c.Addr(), c.CAFile(), c.CertFile(), c.KeyFile(), protocol), port)

			name := "bridge-" + protocol
			l.call(t, request{Call: "Client", Args: []any{port, name}, Keep: name}, nil)
			with := map[string]any{"client": map[string]any{"$kept": name}, "customer_id": 42, "group_id": 0, "topic_prefix": "ulogger/", "token_timeout": enough}
			_, who := device("PY-1")
			cfg := config(with)
			metrics := []map[string]any{{"name": "t", "value": 1}}
			for _, r := range []request{
				{Call: "upload_log", Args: []any{who, octets(formattest.LogBytes(t)[0]), cfg}, With: map[string]any{"store": object("SessionStore", nil)}},
				{Call: "publish_core_dump", Args: []any{octets(formattest.DumpBytes(t)[0]), cfg}},
				{Call: "publish_metrics", Args: []any{"PY-1", application, metrics, cfg}},
			} {
				var ok bool
				if l.call(t, r, &ok); !ok {
					t.Errorf("%s: got %v of the library, want true", r.Call, ok)
				}
			}
			checkReceived(t, c, "PY-1", map[localcloud.Kind]int{localcloud.KindLog: 1, localcloud.KindCoreDump: 1, localcloud.KindMetrics: 1})
			l.call(t, request{Call: name + ".disconnect"}, nil)
		})
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startMosquitto starts one with the configuration and waits until it listens and its
// bridge has subscribed at the far side: before, what it takes goes nowhere. It ends
// with the test.
func startMosquitto(t *testing.T, program, configuration string, port int) {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() == 0 {
		configuration = "user root\n" + configuration // else it becomes a user who cannot read the directory
	}
	name := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(name, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}

	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "-v", "-c", name)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("mosquitto said:\n%s", said)
		}
	})

	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			c.Close()
		}
		said, failed := os.ReadFile(log.Name())
		if err == nil && failed == nil && bytes.Contains(said, []byte("Received SUBACK")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v, %v, want mosquitto to listen and its bridge to subscribe", err, failed)
		}
	}
}
