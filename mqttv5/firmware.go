package mqttv5

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strconv"
	"time"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/cloud"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/presigned"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// Firmware is an ELF file that the cloud needs to turn logs into text.
type Firmware struct {
	ApplicationID uint32
	DeviceType    string      // required
	GitHash       string      // required; the cloud finds the file by it
	Version       string      // for people
	Branch        string      // for people; may be empty
	Body          io.ReaderAt // the file
	Size          int64       // its length in bytes

	// Progress is told how many bytes have been sent; a retry begins again at 0.
	// Default: nobody.
	Progress func(sent, total int64)
}

// Attempts to store a firmware file, each with an address of its own.
const maxUploads = 4

// validate returns what is wrong with the fields.
func (f *Firmware) validate() error {
	fail := func(err error) error {
		return &Error{Op: "check firmware", Class: ErrBadData, Err: err, Hint: "nothing was sent"}
	}
	if f.Body == nil || f.Size <= 0 {
		return fail(errors.New("the file is empty"))
	}
	if f.DeviceType == "" || f.GitHash == "" {
		return fail(errors.New("device type and git hash are needed"))
	}

	for _, s := range [...]struct {
		name, value string
		max         int
		segment     bool
	}{
		{"device type", f.DeviceType, device.MaxName, true},
		{"git hash", f.GitHash, device.MaxGitHash, false},
		{"version", f.Version, device.MaxName, false},
		{"branch", f.Branch, 255, false},
	} {
		if err := device.CheckName(s.value, s.max, s.segment); err != nil {
			return fail(fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return nil
}

// UploadFirmware asks the cloud for a presigned address and stores the file there
// with HTTPS. An address that is refused or a connection that is cut leads to a
// new request, a few times. Only https: is accepted and no redirection is
// followed, and the address, which is a secret, appears in no error and no log.
func (c *Client) UploadFirmware(ctx context.Context, f Firmware) error {
	if err := f.validate(); err != nil {
		return err
	}

	transport, err := presigned.Transport(linkConfig(c.cfg))
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()

	for n := 1; ; n++ {
		address, err := c.presign(ctx, &f)
		if err != nil {
			return err
		}
		again, err := presigned.Put(ctx, transport, address, presigned.File{Body: f.Body, Size: f.Size, Progress: f.Progress})
		if err == nil || !again || n == maxUploads {
			return err
		}
		c.notice(err)
		if !wait.For(ctx, c.uploadWait<<(n-1)) {
			return err
		}
	}
}

// presign asks for an address.
func (c *Client) presign(ctx context.Context, f *Firmware) (address *url.URL, err error) {
	op := "request firmware upload of " + f.DeviceType
	id := uint64(time.Now().UnixMilli())<<8 | rand.Uint64N(256) // below 2^53 until the year 3000
	body, err := json.Marshal(cloud.FirmwareRequest{
		UploadID: id, DeviceType: f.DeviceType, GitHash: f.GitHash, VersionNumber: f.Version,
		CustomerID: cloud.Customer(c.cfg.CustomerID), ApplicationID: f.ApplicationID, Branch: f.Branch,
	})
	if err != nil {
		return nil, &Error{Op: op, Class: ErrBadData, Err: err}
	}

	err = c.keeper.Request(ctx, &link.Request{
		Op: op, What: "request",
		Message: &link.Message{
			Topic: c.name(topic.Topic[string]{Kind: topic.FirmwareRequest, DeviceType: f.DeviceType}), Payload: body, ContentType: contentJSON,
			Expiry: c.answerExpiry(), ReplyTopic: c.name(topic.Topic[string]{Kind: topic.FirmwareReply, UploadID: strconv.FormatUint(id, 10)}),
		},
		Read: func(m *link.Received) (more bool, err error) {
			// The topic is of this request alone: there is no better answer.
			address, err = cloud.ParseFirmwareReply(m.Payload, id)
			return false, err
		},
		Hint: "check customer and device type, and that the certificate may use these topics",
	})
	if err != nil {
		return nil, err
	}
	return address, nil
}
