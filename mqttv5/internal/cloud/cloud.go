// Package cloud has the JSON that the cloud is asked in and answers with: small, flat
// objects (FORMAT section 5). Its errors never show a value, since that may be a
// secret.
package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Longest message from the cloud that is looked at, in bytes.
const maxLen = 16 << 10

// Members calls f with the members of a JSON object. One that is long, repeats a key
// or goes on after its end is refused, since somebody else would read it differently.
func Members(b []byte, f func(key string, value json.RawMessage) error) error {
	if len(b) > maxLen {
		return fmt.Errorf("%d bytes, at most %d are expected", len(b), maxLen)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}

	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return errors.New("broken JSON")
		}
		if seen[key] {
			return fmt.Errorf("key %q appears twice", fault.Printable(key))
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errors.New("broken JSON")
		}
		if err := f(key, value); err != nil {
			return err
		}
	}

	if _, err := d.Token(); err != nil {
		return errors.New("broken JSON")
	}
	if !atEnd(d) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// atEnd reports whether nothing but white space is left. More would not do: it is
// false before a stray bracket as well.
func atEnd(d *json.Decoder) bool {
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

// BootRequest asks for a session token.
type BootRequest struct {
	DeviceType string `json:"device_type"`
	Git        string `json:"git"`
	Serial     string `json:"serial"`
	Version    string `json:"version"`
}

// FirmwareRequest asks for an address to store firmware at.
type FirmwareRequest struct {
	UploadID      uint64   `json:"upload_id"`
	DeviceType    string   `json:"device_type"`
	GitHash       string   `json:"git_hash"`
	VersionNumber string   `json:"version_number"`
	CustomerID    Customer `json:"customer_id"`
	ApplicationID uint32   `json:"application_id"`
	Branch        string   `json:"branch"`
}

// Customer is an account. It is a number in every account seen, and is written as one.
type Customer string

// MarshalJSON implements json.Marshaler.
func (c Customer) MarshalJSON() ([]byte, error) {
	if _, err := strconv.ParseUint(string(c), 10, 64); err == nil && c[0] != '0' {
		return []byte(c), nil
	}
	return json.Marshal(string(c))
}

// ParseBootReply returns the session token of a boot reply, which is not 0.
func ParseBootReply(b []byte) (token uint32, err error) {
	err = Members(b, func(key string, value json.RawMessage) error {
		if key != "token" {
			return nil
		}
		token, err = parseToken(value)
		return err
	})
	if err == nil && token == 0 {
		err = errors.New("no token")
	}
	if err != nil {
		return 0, err
	}
	return token, nil
}

// parseToken reads a token: a number without a fraction, however it is written, or
// the digits of one as text.
func parseToken(value json.RawMessage) (uint32, error) {
	digits := string(value)
	if value[0] == '"' {
		if err := json.Unmarshal(value, &digits); err != nil {
			return 0, err
		}
	} else if x, err := strconv.ParseFloat(digits, 64); err == nil && x == math.Trunc(x) && x >= 0 && x < 1<<32 {
		digits = strconv.FormatUint(uint64(x), 10)
	}
	x, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || x == 0 {
		return 0, errors.New("the token is not a number between 1 and 4294967295")
	}
	return uint32(x), nil
}

// ParseFirmwareReply returns the presigned address of the reply to a request for one. It is
// https: and belongs to the upload.
func ParseFirmwareReply(b []byte, uploadID uint64) (*url.URL, error) {
	var text string
	err := Members(b, func(key string, value json.RawMessage) error {
		switch key {
		case "upload_id":
			id := strconv.FormatUint(uploadID, 10)
			if string(value) != id && string(value) != strconv.Quote(id) {
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
