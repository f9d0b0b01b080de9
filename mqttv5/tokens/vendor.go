package tokens

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// The token file of the vendor's library: {"SERIAL": {"token": n, "git_hash": "h"}},
// the one used longest ago first (LIBRARY, section 9). A token in it is known by the
// serial number and the firmware alone.
//
// The library reads its file once and writes all that it has in memory with each
// change, without a lock: what another process has added is gone then. So a File on
// such a file remembers what it has set itself, and puts back what is missing.

// foreign is the content of such a file: its members in their order, those that
// nobody here understands included.
type foreign []member

type member struct {
	name  string
	value json.RawMessage
}

// foreignToken is a member that is understood.
type foreignToken struct {
	Token   json.Number `json:"token"`
	GitHash *string     `json:"git_hash"`
}

// decodeForeign reads the file of the vendor's library. It reports false for any
// other file. An empty object is one: the library writes it when it has no tokens.
func decodeForeign(b []byte) (f foreign, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}

	known := 0
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}

		var m member
		m.name, _ = name.(string)
		if err := d.Decode(&m.value); err != nil {
			return nil, false
		}
		if m.value[0] != '{' {
			return nil, false
		}
		if m.known() {
			known++
		}
		f = f.without(m.name) // of a name given twice the last counts
		f = append(f, m)
	}

	if _, err := d.Token(); err != nil {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return f, known > 0 || len(f) == 0
}

// known reports whether a member is as the library writes it. Its token may still be
// one that no log can bear: the library keeps what it was given, also -1 and 0.
func (m member) known() bool {
	var v map[string]json.RawMessage
	if json.Unmarshal(m.value, &v) != nil {
		return false
	}
	var n json.Number
	_, hash := v["git_hash"]
	return hash && json.Unmarshal(v["token"], &n) == nil && n != ""
}

// token returns what a member holds, if it is a token that can be used.
func (m member) token() (token uint32, gitHash string, ok bool) {
	var v foreignToken
	if json.Unmarshal(m.value, &v) != nil || v.GitHash == nil {
		return 0, "", false
	}
	n, err := strconv.ParseUint(v.Token.String(), 10, 32)
	return uint32(n), *v.GitHash, err == nil && n > 0
}

// find returns the token of a device and its firmware.
func (f foreign) find(serial, gitHash string) (uint32, bool) {
	for _, m := range f {
		if m.name == serial {
			token, hash, ok := m.token()
			return token, ok && hash == gitHash
		}
	}
	return 0, false
}

func (f foreign) has(serial string) bool {
	for _, m := range f {
		if m.name == serial {
			return true
		}
	}
	return false
}

func (f foreign) without(serial string) foreign {
	for i, m := range f {
		if m.name == serial {
			return append(f[:i:i], f[i+1:]...)
		}
	}
	return f
}

func (f foreign) with(serial, gitHash string, token uint32) foreign {
	value, _ := json.Marshal(struct {
		Token   uint32 `json:"token"`
		GitHash string `json:"git_hash"`
	}{token, gitHash})
	return append(f.without(serial), member{serial, value})
}

// encode writes the file as the library does, with an indent of 2.
func (f foreign) encode() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	var indented bytes.Buffer
	json.Indent(&indented, b.Bytes(), "", "  ")
	return indented.Bytes()
}

// readForeign reads the file at path. It reports false when it is none of the
// library's, or cannot be read.
func readForeign(path string) (foreign, bool) {
	fi, err := os.Lstat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxContent {
		return nil, false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	return decodeForeign(b)
}

// changeForeign merges a change, which may be none, into the library's file. Its
// mode and owner stay as they are. The lock of s is held, and that on the file.
func (s *File) changeForeign(f func(foreign) foreign) error {
	var old foreign
	before, err := os.ReadFile(s.path)
	switch {
	case err == nil:
		var ok bool
		if old, ok = decodeForeign(before); !ok {
			return failed("read", s.path, errForeign)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return failed("read", s.path, err)
	}

	list := old
	for e := range s.list.all() { // what the library has written over
		if !list.has(e.key.DeviceSerial) {
			list = list.with(e.key.DeviceSerial, e.key.GitHash, e.token)
		}
	}

	list = f(list)
	b := list.encode()
	if !bytes.Equal(b, old.encode()) {
		if err := durable.ReplaceFile(s.path, b, durable.KeepMode); err != nil {
			return failed("write", s.path, err)
		}
	}

	fi, err := os.Lstat(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("read", s.path, err)
	}
	s.theirs, s.seen = list, fi
	return nil
}

// setForeign sets a token in the library's file, or drops it when it is 0.
func (s *File) setForeign(ctx context.Context, key Key, token uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key = foreignKey(key)
	s.list.drop(key)
	if token != 0 {
		s.list.set(key, token)
	}
	return s.locked(ctx, func() error {
		return s.changeForeign(func(f foreign) foreign {
			if token == 0 {
				return f.without(key.DeviceSerial)
			}
			return f.with(key.DeviceSerial, key.GitHash, token)
		})
	})
}

// foreignKey is the part of a key that the library's file knows.
func foreignKey(key Key) Key { return Key{DeviceSerial: key.DeviceSerial, GitHash: key.GitHash} }

// openForeign makes s a store on the library's file.
func (s *File) openForeign(list foreign, fi fs.FileInfo) {
	s.foreign, s.theirs, s.seen = true, list, fi
	s.list = newRecent(math.MaxInt) // only what this process has set
}
