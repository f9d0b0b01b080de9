package mqttv5

import (
	"context"
	"crypto/tls"
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
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
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
		again, err := putFirmware(ctx, client, address, &f)
		if err == nil || !again || n == maxUploads {
			return err
		}
		c.notice(err)
		if !sleep(ctx, c.uploadWait<<(n-1)) {
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
			address, err = parseFirmwareReply(m.Payload, id)
			return false, err
		},
		Hint: "check customer and device type, and that the certificate may use these topics",
	})
	if err != nil {
		return nil, err
	}
	return address, nil
}

// parseFirmwareReply returns the presigned address. Its errors do not show it.
func parseFirmwareReply(b []byte, id uint64) (*url.URL, error) {
	var text string
	err := eachMember(b, func(key string, value json.RawMessage) error {
		switch key {
		case "upload_id":
			if string(value) != strconv.FormatUint(id, 10) && string(value) != strconv.Quote(strconv.FormatUint(id, 10)) {
				return errors.New("it answers another upload")
			}
		case "presigned_url":
			if json.Unmarshal(value, &text) != nil {
				return errors.New("the address is not a string")
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("no address")
	case err != nil || u.Host == "":
		return nil, errors.New("the address is not one")
	case u.Scheme != "https":
		return nil, fmt.Errorf("the address is %s:, only https: is accepted", fault.Printable(u.Scheme))
	}
	return u, nil
}

// storageClient returns an HTTP client that trusts what the broker's connection
// trusts, and the system's roots.
func (c *Client) storageClient() (*http.Client, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.cfg.CAFile != "" {
		var err error
		if t.RootCAs, err = x509.SystemCertPool(); err != nil {
			t.RootCAs = x509.NewCertPool()
		}
		if _, err := link.AppendRoots(t.RootCAs, c.cfg.CAFile); err != nil {
			return nil, err
		}
	}
	viaProxy := http.ProxyFromEnvironment
	if c.cfg.Tuning.Proxy != "" {
		connection := c.cfg.connection()
		u, _ := connection.ProxyURL() // checked with the configuration
		viaProxy = http.ProxyURL(u)
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: viaProxy, TLSClientConfig: t,
			TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: time.Minute,
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// putFirmware makes one attempt and says whether another may succeed.
func putFirmware(ctx context.Context, client *http.Client, address *url.URL, f *Firmware) (again bool, err error) {
	op := "store firmware at " + address.Host
	body := &progressReader{r: io.NewSectionReader(f.Body, 0, f.Size), total: f.Size, tell: f.Progress}
	req := (&http.Request{
		Method: http.MethodPut, URL: address, Host: address.Host,
		Header:        http.Header{"Content-Type": {"application/octet-stream"}},
		Body:          io.NopCloser(body),
		ContentLength: f.Size,
	}).WithContext(ctx)
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error // shows the address
		if errors.As(err, &u) {
			err = u.Err
		}
		return ctx.Err() == nil, &Error{Op: op, Class: ErrNetwork, Err: err}
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 64<<10)
	switch n := resp.StatusCode; {
	case n >= 200 && n < 300:
		return false, nil
	case n >= 300 && n < 400:
		return false, &Error{Op: op, Class: ErrRefused, Err: fmt.Errorf("status %d: redirections are not followed", n)}
	case n == http.StatusForbidden:
		return true, &Error{Op: op, Class: ErrRefused, Err: errors.New("status 403"), Hint: "the address may have expired; check this machine's clock"}
	case n >= 500 || n == http.StatusTooManyRequests || n == http.StatusRequestTimeout:
		return true, &Error{Op: op, Class: ErrRefused, Err: fmt.Errorf("status %d", n), Hint: "try again later"}
	default:
		return false, &Error{Op: op, Class: ErrRefused, Err: fmt.Errorf("status %d", n)}
	}
}

type progressReader struct {
	r           io.Reader
	sent, total int64
	tell        func(sent, total int64)
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.sent += int64(n)
	if p.tell != nil && n > 0 {
		p.tell(p.sent, p.total)
	}
	return n, err
}
