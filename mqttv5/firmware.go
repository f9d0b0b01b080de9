package mqttv5

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/answer"
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

// firmwareRequest asks for an address (FORMAT section 5). The customer is a number
// in every account seen.
type firmwareRequest struct {
	UploadID      uint64          `json:"upload_id"`
	DeviceType    string          `json:"device_type"`
	GitHash       string          `json:"git_hash"`
	VersionNumber string          `json:"version_number"`
	CustomerID    json.RawMessage `json:"customer_id"`
	ApplicationID uint32          `json:"application_id"`
	Branch        string          `json:"branch"`
}

// UploadFirmware asks the cloud for a presigned address and stores the file there
// with HTTPS. An address that is refused or a connection that is cut leads to a
// new request, a few times. Only https: is accepted and no redirection is
// followed, and the address, which is a secret, appears in no error and no log.
func (c *Client) UploadFirmware(ctx context.Context, f Firmware) error {
	if err := f.validate(); err != nil {
		return err
	}
	client, err := c.storageClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for n := 1; ; n++ {
		address, err := c.presign(ctx, &f)
		if err != nil {
			return err
		}
		again, err := presigned.Put(ctx, client, address, presigned.File{Body: f.Body, Size: f.Size, Progress: f.Progress})
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
	id := uint64(time.Now().UnixMilli())<<8 | randomUint64()&0xff // below 2^53 until the year 3000
	customer, err := json.Marshal(c.cfg.CustomerID)
	if err != nil {
		return nil, &Error{Op: op, Class: ErrConfig, Err: err}
	}
	if _, err := strconv.ParseUint(c.cfg.CustomerID, 10, 64); err == nil && c.cfg.CustomerID[0] != '0' {
		customer = []byte(c.cfg.CustomerID)
	}
	body, err := json.Marshal(firmwareRequest{id, f.DeviceType, f.GitHash, f.Version, customer, f.ApplicationID, f.Branch})
	if err != nil {
		return nil, &Error{Op: op, Class: ErrBadData, Err: err}
	}

	err = c.keeper.Request(ctx, &link.Request{
		Op: op, What: "request",
		Message: &link.Message{
			Topic: c.topics.firmware(f.DeviceType), Payload: body, ContentType: contentJSON,
			Expiry: c.answerExpiry(), ReplyTopic: c.topics.firmwareReply(id),
		},
		Read: func(m *link.Received) (more bool, err error) {
			// The topic is of this request alone: there is no better answer.
			address, err = answer.Address(m.Payload, id)
			return false, err
		},
		Hint: "check customer and device type, and that the certificate may use these topics",
	})
	if err != nil {
		return nil, err
	}
	return address, nil
}

// storageClient returns an HTTP client that trusts what the broker's connection
// trusts, and the system's roots.
func (c *Client) storageClient() (*http.Client, error) {
	var roots *x509.CertPool
	if c.cfg.CAFile != "" {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if _, err := link.AppendRoots(roots, c.cfg.CAFile); err != nil {
			return nil, err
		}
	}
	proxy := http.ProxyFromEnvironment
	if c.cfg.Tuning.Proxy != "" {
		connection := linkConfig(c.cfg)
		u, _ := connection.ProxyURL() // checked with the configuration
		proxy = http.ProxyURL(u)
	}
	return presigned.Client(roots, proxy), nil
}
