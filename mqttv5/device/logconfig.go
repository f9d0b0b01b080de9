package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/cloud"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// LogConfig is what the cloud wants a device to log.
type LogConfig struct {
	Level       format.Level  // lowest severity that is logged
	ModuleFlags uint32        // mask of the modules that are logged; 0xffffffff is all
	Modules     []string      // names of the modules, when the cloud sent names
	Timeout     time.Duration // after which the device returns to its own; 0 is never

	// ModulesErr says why names that the cloud sent could not be read. The rest of the
	// configuration counts all the same.
	ModulesErr error
}

// Binary returns the 9 bytes that a device expects (FORMAT section 4).
func (c LogConfig) Binary() []byte {
	var v format.LogConfig
	v.SetLevel(c.Level)
	v.SetModuleFlags(c.ModuleFlags)
	v.SetTimeoutSeconds(uint32(min(c.Timeout/time.Second, 1<<32-1)))
	return v[:]
}

// ParseLogConfig reads either form of a log configuration: 9 bytes, which a JSON
// array with names of modules may follow, or a JSON object. A level above critical
// is info. Names that cannot be read cost the names: see ModulesErr.
func ParseLogConfig(b []byte) (LogConfig, error) {
	c, err := parseLogConfig(b)
	if err != nil {
		return LogConfig{}, &fault.Error{Op: "read log configuration", Class: fault.ErrBadData, Err: err}
	}
	return c, nil
}

// parseLogConfig is ParseLogConfig; its errors do not say yet what was read.
func parseLogConfig(b []byte) (LogConfig, error) {
	if len(b) == 0 || b[0] != '{' { // 0x7b is no level
		v, names, err := format.ParseLogConfigMessage(b)
		if err != nil {
			return LogConfig{}, err
		}
		c := LogConfig{Level: v.Level(), ModuleFlags: v.ModuleFlags(), Timeout: time.Duration(v.TimeoutSeconds()) * time.Second}
		if len(names) > 0 {
			c.Modules, c.ModulesErr = parseModules(names)
		}
		return c, nil
	}

	c := LogConfig{ModuleFlags: 0xffffffff}
	found := false
	err := cloud.Members(b, func(key string, value json.RawMessage) (err error) {
		switch key {
		case "log_level":
			found = true
			c.Level, err = parseLevel(value)
		case "module_flags":
			var n uint64
			n, err = strconv.ParseUint(string(value), 10, 32)
			c.ModuleFlags = uint32(n)
		case "log_modules":
			err = json.Unmarshal(value, &c.Modules)
		case "timeout_seconds":
			var n uint64
			n, err = strconv.ParseUint(string(value), 10, 32)
			c.Timeout = time.Duration(n) * time.Second
		}
		if err != nil {
			return fmt.Errorf("%s is not usable", key)
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("log_level is missing")
	}
	if err != nil {
		return LogConfig{}, err
	}
	return c, nil
}

// parseModules reads a JSON array of names. A name that is none but a number, true,
// or anything else is taken as it is written.
func parseModules(b []byte) ([]string, error) {
	var list []json.RawMessage
	if !utf8.Valid(b) {
		return nil, errors.New("names of modules are not UTF-8")
	}
	if err := json.Unmarshal(b, &list); err != nil || list == nil {
		return nil, errors.New("names of modules are no JSON array")
	}
	names := make([]string, len(list))
	for i, item := range list {
		if json.Unmarshal(item, &names[i]) != nil || item[0] != '"' {
			names[i] = string(item)
		}
	}
	return names, nil
}

// parseLevel reads a level as a number or a name.
func parseLevel(value json.RawMessage) (format.Level, error) {
	if n, err := strconv.ParseUint(string(value), 10, 8); err == nil {
		if format.Level(n) > format.LevelCritical {
			return format.LevelInfo, nil
		}
		return format.Level(n), nil
	}
	var name string
	if err := json.Unmarshal(value, &name); err != nil {
		return 0, err
	}
	for l := format.LevelDebug; l <= format.LevelCritical; l++ {
		if strings.EqualFold(name, l.String()) {
			return l, nil
		}
	}
	return 0, errors.New("no such level")
}
