package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The token file: {"version": 1, "sessions": [...]}, least recently used first.
//
// What a file holds decides what may be done with it. One of ours that is broken
// may be set aside; anything else is somebody's, and is neither moved nor changed.

const contentVersion = 1

// Largest token file that is read, in bytes: far beyond DefaultLimit entries.
const maxContent = 16 << 20

var (
	// errDamaged says that a file is ours and broken.
	errDamaged = errors.New("it is damaged")
	// errForeign says that a file is not ours, or not ours alone.
	errForeign = errors.New("it is not a token file of ulogkit")
)

type content struct {
	Version  int     `json:"version"`
	Sessions []entry `json:"sessions"`
}

type line struct {
	Broker        string `json:"broker"`
	CustomerID    string `json:"customer_id"`
	GroupID       string `json:"group_id,omitempty"`
	ApplicationID uint32 `json:"application_id"`
	DeviceSerial  string `json:"device_serial"`
	GitHash       string `json:"git_hash"`
	Token         uint32 `json:"token"`
}

// MarshalJSON implements json.Marshaler.
func (e entry) MarshalJSON() ([]byte, error) {
	k := e.key
	return json.Marshal(line{k.Broker, k.CustomerID, k.GroupID, k.ApplicationID, k.DeviceSerial, k.GitHash, e.token})
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *entry) UnmarshalJSON(b []byte) error {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if l.Token == 0 || l.DeviceSerial == "" {
		return errors.New("an entry has no token or no serial")
	}
	*e = entry{Key{l.Broker, l.CustomerID, l.GroupID, l.ApplicationID, l.DeviceSerial, l.GitHash}, l.Token}
	return nil
}

// encode cannot fail: strings and numbers only.
func encode(r *recent) []byte {
	c := content{Version: contentVersion, Sessions: []entry{}}
	for e := range r.all() {
		c.Sessions = append(c.Sessions, e)
	}
	b, _ := json.MarshalIndent(c, "", " ")
	return append(b, '\n')
}

// decode reads a token file. The error wraps errDamaged or errForeign. An empty
// file holds no tokens.
func decode(b []byte, limit int) (recent, error) {
	r := newRecent(limit)
	if len(bytes.TrimSpace(b)) == 0 {
		return r, nil
	}
	if len(b) > maxContent {
		return recent{}, fmt.Errorf("%w: it is larger than %d bytes", errForeign, maxContent)
	}
	if err := recognise(b); err != nil {
		return recent{}, err
	}

	var c content
	d := json.NewDecoder(bytes.NewReader(b))
	err := d.Decode(&c)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the JSON object")
		}
	}
	if err != nil {
		return recent{}, fmt.Errorf("%w: %w", errDamaged, err)
	}

	for _, e := range c.Sessions {
		r.set(e.key, e.token)
	}
	return r, nil
}

// recognise reports whether a file is ours, whole or broken: it begins as we write
// it, and has nothing beside what we write.
func recognise(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for i, want := range [...]json.Token{json.Delim('{'), "version", json.Number("1"), "sessions", json.Delim('[')} {
		got, err := d.Token()
		if err == nil && got == want {
			continue
		}
		if n, ok := got.(json.Number); ok && i == 2 {
			return fmt.Errorf("%w of this version: its version is %v and ours is %d", errForeign, n, contentVersion)
		}
		return errForeign
	}

	var members map[string]json.RawMessage
	if json.Unmarshal(b, &members) != nil {
		return nil // begun as ours, and broken
	}

	for name := range members {
		if name != "version" && name != "sessions" {
			return fmt.Errorf("%w alone: it holds entries of another program", errForeign)
		}
	}
	return nil
}
