package main

import (
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// uploadFirmware stores an ELF file, with progress on a terminal.
func (u *uploader) uploadFirmware(cmd *cobra.Command) (err error) {
	f, err := u.Firmware(cmd.Flags())
	if err != nil {
		return usage(err)
	}

	body, size, closeBody, err := openFirmware(u.elf, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("nothing was sent: %s: %w", u.elf, err)
	}
	defer closeBody()

	f.Branch, f.Body, f.Size = u.branch, body, size
	meter := progress.New(screen(false), "uploading", f.Size)
	defer meter.Done()
	f.Progress = func(sent, _ int64) { meter.Set(sent, 0) }
	client, end, err := u.connect(cmd, false, mqttv5.Hooks{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := client.UploadFirmware(cmd.Context(), f); err != nil {
		return fmt.Errorf("%s: %w", u.elf, err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes stored for %s, commit %s\n", shown(u.elf), f.Size, f.DeviceType, f.GitHash)
	return err
}

// openFirmware opens an ELF file that has all that its header announces. A file
// may be larger than what is worth to hold in memory.
func openFirmware(name string, stdin io.Reader) (body io.ReaderAt, size int64, closeBody func() error, err error) {
	if name == "-" {
		b, err := files.Read(name, stdin)
		if err != nil {
			return nil, 0, nil, err
		}
		body, size, closeBody = bytes.NewReader(b), int64(len(b)), func() error { return nil }
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, nil, errors.Unwrap(err) // callers say the name
		}
		info, err := f.Stat()
		if err != nil {
			return nil, 0, nil, errors.Join(err, f.Close())
		}
		body, size, closeBody = f, info.Size(), f.Close
	}

	if _, err := elf.NewFile(body); err != nil {
		err = fmt.Errorf("not a whole ELF file: %w", err)
		start := make([]byte, format.RecognizeSize)
		n, _ := body.ReadAt(start, 0)
		return nil, 0, nil, errors.Join(cmp.Or(inspect.Other(start[:n], inspect.AnELFFile), err), closeBody())
	}
	return body, size, closeBody, nil
}
