package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// bootReplies are answers to a boot request (LIBRARY, section 4).
var bootReplies = []string{
	`{"token":305419896}`, `{"token":1}`, `{"token":4294967295}`, `{"token":4294967296}`, `{"token":99999999999999999999}`,
	`{"token":"305419896"}`, `{"token":"007"}`, `{"token":" 5 "}`, `{"token":"+5"}`, `{"token":"5_0"}`, `{"token":"0x12"}`, `{"token":""}`, `{"token":"1.0"}`, `{"token":"five"}`,
	`{"token":123.0}`, `{"token":123.9}`, `{"token":1e3}`, `{"token":1E2}`, `{"token":0.5}`, `{"token":1e400}`,
	`{"token":true}`, `{"token":false}`, `{"token":-1}`, `{"token":0}`, `{"token":-0}`, `{"token":007}`, `{"token":NaN}`, `{"token":null}`, `{"token":[5]}`, `{"token":{}}`,
	`{}`, `{"Token":5}`, `{"token":5,"token":6}`, `{"x":[],"token":5,"y":{"token":6}}`, `{"token":5}x`, `{"token":5} ` + "\n", "\ufeff" + `{"token":5}`, `[5]`, `5`, `"token"`, `{"token":5`, "", "{\"token\":5,\"x\":\"\xff\"}",
}

// Each answer gives the same token on both sides, or none (case
// seed/boot-token-string).
func testBootReplies(t *testing.T, l *library) {
	reply := func(serial string) []byte {
		n, err := strconv.Atoi(serial)
		if err != nil {
			return nil
		}
		return []byte(bootReplies[n])
	}
	b := startBroker(t, reply, func(string) []byte { return nil })
	client := connect(t, mqttv5.Config{Port: b.port, TokenTimeout: 3 * time.Second})

	ours, theirs := make([]string, len(bootReplies)), make([]string, len(bootReplies))
	// Each wait is bounded: more at one time than this, and a busy machine answers
	// some of them too late.
	few := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i := range bootReplies {
		few <- struct{}{}
		info, object := device(strconv.Itoa(i))
		wg.Go(func() {
			ours[i] = "none"
			if token, err := client.GetSessionToken(context.Background(), info); err == nil {
				ours[i] = strconv.FormatUint(uint64(token), 10)
			}
		})
		wg.Go(func() {
			a, err := l.ask(request{Call: "get_session_token", Args: []any{object, config(plain(b.port, 0))}})
			theirs[i] = strings.ReplaceAll(string(a.Result), "null", "none")
			if err != nil || a.Error != "" {
				t.Errorf("got error %v, %q of the library, want a token", err, a.Error)
			}
			<-few
		})
	}
	wg.Wait()

	table := newLedger("boot reply")
	for i, reply := range bootReplies {
		table.compare(t, reply, ours[i], theirs[i])
	}
	table.done(t)
}

// config is the library's MqttConfig.
func config(with map[string]any) any { return object("MqttConfig", with) }

const nine = "\x03\x05\x00\x00\x00\x0a\x00\x00\x00" // error, modules 0 and 2, 10 s

// logConfigs are configurations that the cloud may send (LIBRARY, section 5).
var logConfigs = []string{
	nine, "\x00\xff\xff\xff\xff\x00\x00\x00\x00", "\x05" + nine[1:], "\xff" + nine[1:], nine[:8], "",
	nine + `["COMM","SENSOR"]`, nine + " [] ", nine + `["é","\u00e9"]`, nine + `[7,1.5]`, nine + `[true,null]`, nine + `[1e3]`,
	nine + `{"a":1}`, nine + "null", nine + "\x00", nine + `["a"`, nine + `["a"]x`, nine + "[\"\xff\"]",
	`{"log_level":"ERROR","module_flags":5,"timeout_seconds":10}`, `{"log_lev`,
}

// Each configuration is read alike on both sides.
func testLogConfigs(t *testing.T, l *library) {
	b := startBroker(t, func(string) []byte { return nil }, func(serial string) []byte {
		n, err := strconv.Atoi(serial)
		if err != nil {
			return nil
		}
		return []byte(logConfigs[n])
	})
	theirs := make([]string, len(logConfigs))
	var wg sync.WaitGroup
	for i := range logConfigs {
		_, object := device(strconv.Itoa(i))
		wg.Go(func() {
			a, err := l.ask(request{Call: "wait_for_log_config", Args: []any{object, config(plain(b.port, 0))}, With: map[string]any{"timeout": 3.0}})
			var c *struct {
				Level   string   `json:"log_level"`
				Flags   uint32   `json:"module_flags"`
				Modules []string `json:"log_modules"`
				Timeout uint32   `json:"timeout_seconds"`
			}
			if err == nil && a.Error == "" {
				err = json.Unmarshal(a.Result, &c)
			}
			if err != nil || a.Error != "" {
				t.Errorf("%q: got error %v, %q of the library, want what it reads", logConfigs[i], err, a.Error)
			}
			theirs[i] = "none"
			if c != nil {
				theirs[i] = fmt.Sprintf("%s %x %q %d", strings.ToLower(c.Level), c.Flags, c.Modules, c.Timeout)
			}
		})
	}
	wg.Wait()

	table := newLedger("log configuration")
	for i, b := range logConfigs {
		ours := "none"
		if c, err := mqttv5.ParseLogConfig([]byte(b)); err == nil {
			ours = fmt.Sprintf("%s %x %q %d", c.Level, c.ModuleFlags, c.Modules, c.Timeout/time.Second)
		}
		table.compare(t, fmt.Sprintf("%q", b), ours, theirs[i])
	}
	table.done(t)
}
