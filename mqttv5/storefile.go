package mqttv5

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The token file: {"version": 1, "sessions": [...]}, least recently used first.

const tokenFileVersion = 1

type tokenFile struct {
	Version  int          `json:"version"`
	Sessions []tokenEntry `json:"sessions"`
}

type tokenLine struct {
	Broker        string `json:"broker"`
	CustomerID    string `json:"customer_id"`
	GroupID       string `json:"group_id,omitempty"`
	ApplicationID uint32 `json:"application_id"`
	DeviceSerial  string `json:"device_serial"`
	GitHash       string `json:"git_hash"`
	Token         uint32 `json:"token"`
}

// MarshalJSON implements json.Marshaler.
func (e tokenEntry) MarshalJSON() ([]byte, error) {
	k := e.key
	return json.Marshal(tokenLine{k.Broker, k.CustomerID, k.GroupID, k.ApplicationID, k.DeviceSerial, k.GitHash, e.token})
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *tokenEntry) UnmarshalJSON(b []byte) error {
	var l tokenLine
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	if l.Token == 0 || l.DeviceSerial == "" {
		return errors.New("an entry without token or serial")
	}
	*e = tokenEntry{SessionKey{l.Broker, l.CustomerID, l.GroupID, l.ApplicationID, l.DeviceSerial, l.GitHash}, l.Token}
	return nil
}

// encodeTokens cannot fail: strings and numbers only.
func encodeTokens(r *recent) []byte {
	f := tokenFile{Version: tokenFileVersion, Sessions: []tokenEntry{}}
	for e := range r.all() {
		f.Sessions = append(f.Sessions, e)
	}
	b, _ := json.MarshalIndent(f, "", " ")
	return append(b, '\n')
}

func decodeTokens(b []byte, limit int) (recent, error) {
	if len(b) > maxStoreFile {
		return recent{}, fmt.Errorf("it is larger than %d bytes", maxStoreFile)
	}
	var f tokenFile
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return recent{}, err
	}
	if !atEnd(d) {
		return recent{}, errors.New("something follows the JSON object")
	}
	if f.Version != tokenFileVersion {
		return recent{}, fmt.Errorf("version %d is not %d", f.Version, tokenFileVersion)
	}
	r := newRecent(limit)
	for _, e := range f.Sessions {
		r.set(e.key, e.token)
	}
	return r, nil
}
