package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// commandTime is the longest that a command for a configuration may run.
const commandTime = 30 * time.Second

// logConfig is what is written and given to the command.
type logConfig struct {
	Serial      string   `json:"serial"`
	Application uint32   `json:"application"`
	Level       string   `json:"level"`
	ModuleFlags uint32   `json:"module_flags"`
	Modules     []string `json:"modules,omitempty"`
	Timeout     int64    `json:"timeout_seconds"` // 0: until the next
}

// follow hands on each log configuration of a device until ctx ends.
func (g *Gateway) follow(ctx context.Context, dev device.Info) {
	for c, err := range g.cfg.Client.WatchLogConfig(ctx, dev) {
		if err == nil {
			err = g.handOn(ctx, logConfig{
				Serial: dev.DeviceSerial, Application: dev.ApplicationID,
				Level: c.Level.String(), ModuleFlags: c.ModuleFlags, Modules: c.Modules, Timeout: int64(c.Timeout / time.Second),
			})
		}
		if err != nil && ctx.Err() == nil {
			g.cfg.Logger.Error("log configuration", "serial", dev.DeviceSerial, "error", err)
		}
	}
}

// handOn writes a configuration, and runs the command for it.
func (g *Gateway) handOn(ctx context.Context, c logConfig) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if g.cfg.ConfigDir != "" {
		name := filepath.Join(g.cfg.ConfigDir, c.Serial+".json")
		if !mine(name) {
			return fmt.Errorf("write log configuration: %s is there already and holds something else; it is left as it is", name)
		}
		if err := durable.ReplaceFile(name, b, 0o644); err != nil {
			return fmt.Errorf("write log configuration: %w", err)
		}
	}
	if g.cfg.OnConfig == "" {
		return nil
	}

	g.commands.Lock()
	defer g.commands.Unlock()
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()

	cmd := exec.CommandContext(ctx, "sh", "-c", g.cfg.OnConfig)
	cmd.Env = append(os.Environ(),
		"ULOGKIT_SERIAL="+c.Serial, "ULOGKIT_APPLICATION="+strconv.FormatUint(uint64(c.Application), 10), "ULOGKIT_LEVEL="+c.Level,
		"ULOGKIT_MODULE_FLAGS="+strconv.FormatUint(uint64(c.ModuleFlags), 10), "ULOGKIT_MODULES="+strings.Join(c.Modules, " "),
		"ULOGKIT_TIMEOUT_SECONDS="+strconv.FormatInt(c.Timeout, 10))
	cmd.Stdin = bytes.NewReader(b)
	cmd.WaitDelay = time.Second // a child of the command may hold its output open
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("command for log configuration: %w: %q", err, out[:min(len(out), 200)])
	}
	return nil
}

// mine reports whether a file of that name may be replaced: it is one that a gateway
// has written, or empty, or none.
func mine(name string) bool {
	b, err := os.ReadFile(name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	var old logConfig
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return len(b) == 0 || d.Decode(&old) == nil && old.Serial != ""
}
