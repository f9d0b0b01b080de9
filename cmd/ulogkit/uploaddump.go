package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// dumpSource are crash dumps, which say themselves what they are of.
type dumpSource struct {
	cmd      *cobra.Command // is told what is sent although it is damaged
	settings *settings.Settings
	strict   bool // damaged ones are refused
}

func (*dumpSource) needsToken() bool { return false }

func (*dumpSource) send(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
	return one(client.PublishCoreDump(ctx, b))
}

func (*dumpSource) submit(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
	return one(outbox.SubmitCoreDump(ctx, b))
}

// prepare checks a crash dump. One that is damaged is sent as it is, and one without a
// header of the agent gets it from the flags: with a notice, since no device writes a
// dump a second time. Where it can be fetched again, --strict refuses it.
func (s *dumpSource) prepare(name string, b []byte) ([]byte, error) {
	d, err := inspect.Dump(b)
	if err != nil {
		return nil, err
	}
	if s.strict && len(d.Lost) > 0 {
		return nil, errors.New(strings.Join(d.Lost, " "))
	}

	payload := d.Bytes
	if d.Header == nil {
		if payload, err = s.withHeader(payload); err != nil {
			return nil, err
		}
	}

	for _, lost := range d.Lost {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "%s: is sent although it is damaged: %s --strict refuses it.\n", name, lost)
	}
	if len(d.Lost) == 0 {
		for _, note := range d.Notes {
			fmt.Fprintf(s.cmd.ErrOrStderr(), "%s: is sent: %s\n", name, note)
		}
	}
	return payload, nil
}

// withHeader puts the agent's header before a dump, from the flags.
func (s *dumpSource) withHeader(bare []byte) ([]byte, error) {
	device, err := deviceOf(s.cmd, s.settings)
	if err != nil {
		return nil, fmt.Errorf("the dump has no header of the agent, so that the cloud could not tell whose it is: %w", err)
	}
	dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: bare}
	dump.Header.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(bare)))
	dump.Header.SetVersion(1)
	dump.Header.SetApplicationID(device.ApplicationID)
	for _, set := range []error{
		dump.Header.SetDeviceSerial(device.DeviceSerial), dump.Header.SetDeviceType(device.DeviceType),
		dump.Header.SetVersionString(device.GitVersion), dump.Header.SetGitHash(device.GitHash),
	} {
		if set != nil {
			return nil, set
		}
	}
	dump.Seal()
	return dump.AppendTo(nil)
}
