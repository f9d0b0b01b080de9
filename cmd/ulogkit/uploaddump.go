package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format"
)

// dumpJob reads the crash dump to upload. One that is cut, or that the device wrote
// wrong, is sent as it is, and one without a header of the agent gets it from the
// flags: with a notice, since no device writes a dump a second time. One that was
// changed on its way is refused: it can be fetched again.
func (u *uploader) dumpJob(cmd *cobra.Command, j job) (job, error) {
	bad := func(err error) (job, error) { return j, fmt.Errorf("nothing was sent: %s: %w", u.core, err) }
	b, err := files.Read(u.core, cmd.InOrStdin())
	if err != nil {
		return bad(err)
	}
	d, err := inspect.Dump(b)
	if err != nil {
		return bad(err)
	}
	if whole, _, e := format.ParseCoreDump(d.Bytes); e == nil && whole.Verify() != nil {
		return bad(format.CheckCoreDump(d.Bytes))
	}
	if d.Header == nil {
		device, err := deviceOf(cmd, &u.Settings)
		if err != nil {
			return j, fmt.Errorf("nothing was sent: %s: the dump has no header of the agent, so that the cloud could not tell whose it is: %w", u.core, err)
		}
		dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: d.Bytes}
		dump.Header.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(d.Bytes)))
		dump.Header.SetVersion(1)
		dump.Header.SetApplicationID(device.ApplicationID)
		for _, set := range []error{
			dump.Header.SetDeviceSerial(device.DeviceSerial), dump.Header.SetDeviceType(device.DeviceType),
			dump.Header.SetVersionString(device.GitVersion), dump.Header.SetGitHash(device.GitHash),
		} {
			if set != nil {
				return bad(set)
			}
		}
		dump.Seal()
		if d.Bytes, err = dump.AppendTo(nil); err != nil {
			return bad(err)
		}
	}
	for _, lost := range d.Lost {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: is sent although it is damaged: %s\n", u.core, lost)
	}
	if len(d.Lost) == 0 {
		for _, note := range d.Notes {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: is sent: %s\n", u.core, note)
		}
	}
	j.payloads = [][]byte{d.Bytes}
	return j, nil
}
