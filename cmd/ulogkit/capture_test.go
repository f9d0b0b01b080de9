package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/formattest"
)

// TestCaptureScript runs testdata/capture/*.txtar, with the commands of
// TestScript. The scripts find wire's sample capture as sample.pcap, its
// hostile ones as hostile/*.cap, the strings of the firmware that wrote the logs
// in the sample as firmware.json, and those of another as other.json.
func TestCaptureScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/capture",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			return errors.Join(writeVectors(t)(env), copyCaptures(env), writeFirmware(t, env))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "flip": flip, "clip": clip, "holds": holds, "cloud": cloud, "received": received,
		},
	})
}

func copyCaptures(env *testscript.Env) error {
	from := filepath.Join("..", "..", "wire", "testdata")
	if err := os.CopyFS(filepath.Join(env.WorkDir, "hostile"), os.DirFS(filepath.Join(from, "hostile"))); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(from, "sample.pcap"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "sample.pcap"), b, 0o644)
}

// writeFirmware writes the format strings that the vectors name for two agents.
func writeFirmware(t *testing.T, env *testscript.Env) error {
	vectors := formattest.Logs(t)
	for name, agent := range map[string]string{"firmware.json": "agent-1.0.2", "other.json": "agent-1.2.2"} {
		texts := map[uint32]string{}
		for _, v := range vectors {
			for _, f := range v.Frames {
				if v.Agent == agent {
					texts[f.FmtAddr] = f.Fmt
				}
			}
		}

		d, err := dict.FromStrings(texts)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := d.WriteJSON(&out); err != nil {
			return err
		}

		if err := os.WriteFile(filepath.Join(env.WorkDir, name), out.Bytes(), 0o644); err != nil {
			return err
		}
	}

	return nil
}
