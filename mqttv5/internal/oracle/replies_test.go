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
	"github.com/ulogkit/ulogkit/mqttv5/internal/cloud"
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
	// That a reply was passed over, a good one behind it shows, at any speed. The library
	// would take both, and so gets it only where it is known to pass over the first.
	const behind = "4000000001"
	replies := func(followed func(reply string) bool) messages {
		return numbered(bootReplies, `{"token":`+behind+`}`, followed)
	}
	near := startBroker(t, replies(func(string) bool { return true }), nothing)
	far := startBroker(t, replies(func(reply string) bool {
		_, err := cloud.ParseBootReply([]byte(reply))
		return passedOver("boot reply", reply, err)
	}), nothing)
	client := connect(t, mqttv5.Config{Port: near.port, TokenTimeout: enough * time.Second})

	ours, theirs := make([]string, len(bootReplies)), make([]string, len(bootReplies))
	var wg sync.WaitGroup
	for i := range bootReplies {
		info, object := device(strconv.Itoa(i))
		wg.Go(func() {
			token, err := client.GetSessionToken(context.Background(), info)
			if err != nil {
				t.Errorf("%q: got error %v, want a token", bootReplies[i], err)
			}
			ours[i] = strings.ReplaceAll(strconv.FormatUint(uint64(token), 10), behind, "none")
		})
		wg.Go(func() {
			a, err := l.ask(request{Call: "get_session_token", Args: []any{object, config(plain(far.port, 0))}})
			theirs[i] = strings.ReplaceAll(string(a.Result), behind, "none")
			if err != nil || a.Error != "" {
				t.Errorf("got error %v, %q of the library, want a token", err, a.Error)
			}
		})
	}
	wg.Wait()

	table := newLedger("boot reply")
	for i, reply := range bootReplies {
		table.compare(t, reply, ours[i], theirs[i])
	}
	table.done(t)
}

// numbered returns what is said to the device whose serial is the number of a case: the
// case, and behind it something else where it is to be followed.
func numbered(cases []string, behind string, followed func(string) bool) messages {
	return func(serial string) []string {
		n, err := strconv.Atoi(serial)
		switch {
		case err != nil:
			return nil
		case followed(cases[n]):
			return []string{cases[n], behind}
		}
		return cases[n : n+1]
	}
}

// passedOver reports whether the library is known to take no notice of an input: as
// ours, which gave err, or as the table of differences says.
func passedOver(check, input string, err error) bool {
	for _, d := range differences {
		if d.check == check && d.input == input {
			return d.theirs == "none"
		}
	}
	return err != nil
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
	const behind, flags = "\x02\x01\x02\x03\x04\x05\x00\x00\x00", 0x04030201
	b := startBroker(t, nothing, numbered(logConfigs, behind, func(c string) bool {
		_, err := mqttv5.ParseLogConfig([]byte(c))
		return passedOver("log configuration", strconv.Quote(c), err)
	}))
	theirs := make([]string, len(logConfigs))
	var wg sync.WaitGroup
	for i := range logConfigs {
		_, object := device(strconv.Itoa(i))
		wg.Go(func() {
			a, err := l.ask(request{Call: "wait_for_log_config", Args: []any{object, config(plain(b.port, 0))}, With: map[string]any{"timeout": enough}})
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
			if c != nil && c.Flags != flags {
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
