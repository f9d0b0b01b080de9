package dict

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// MaxDictionary is the largest dictionary file that is read, in bytes.
const MaxDictionary = 64 << 20

// fileKind marks a dictionary file, fileVersion its version.
const (
	fileKind    = "ulogkit-dictionary"
	fileVersion = 1
)

// dictionaryFile is a dictionary as JSON.
type dictionaryFile struct {
	Kind string `json:"kind"`
	V    int    `json:"v"`
	ID
	Modules []fileModule `json:"modules,omitempty"`
	Strings []fileString `json:"strings"`
}

type fileModule struct {
	Number uint8  `json:"module"`
	Name   string `json:"name"`
}

type fileString struct {
	Addr    uint32   `json:"addr"`
	Text    string   `json:"text,omitempty"`
	Hex     string   `json:"hex,omitempty"` // instead of text that is not UTF-8
	Sources []Source `json:"sources,omitempty"`
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(r io.Reader) (*Dictionary, error) {
	b, err := readAll(r)
	if err != nil {
		return nil, err
	}

	var file dictionaryFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%w: not a dictionary: %w", ErrDamaged, err)
	}
	if file.Kind != fileKind {
		return nil, fmt.Errorf("%w: kind is %q, want %q", ErrDamaged, file.Kind, fileKind)
	}
	if file.V != fileVersion {
		return nil, fmt.Errorf("%w: dictionary version %d, known is %d", ErrUnsupported, file.V, fileVersion)
	}

	d := &Dictionary{ID: file.ID}
	for _, m := range file.Modules {
		if int(m.Number) >= len(d.modules) || len(m.Name) > maxModuleName {
			return nil, fmt.Errorf("%w: module %d, named %.20q, is not one of 0 to 31", ErrDamaged, m.Number, m.Name)
		}
		d.modules[m.Number] = m.Name
	}

	for _, s := range file.Strings {
		if s.Hex != "" {
			text, err := hex.DecodeString(s.Hex)
			if err != nil {
				return nil, fmt.Errorf("%w: string at address %#x: %w", ErrDamaged, s.Addr, err)
			}
			s.Text = string(text)
		}
		if err := d.add(s.Addr, s.Text); err != nil {
			return nil, err
		}
		d.addSources(s.Addr, s.Sources)
	}
	return d.finish()
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxDictionary+1))
	if err == nil && len(b) > MaxDictionary {
		err = fmt.Errorf("%w: a dictionary has %d bytes at most", ErrTooLarge, MaxDictionary)
	}
	return b, err
}

// csvHead names the columns of a table.
var csvHead = []string{"addr", "text", "source"}

// ReadCSV reads what WriteCSV wrote; further columns are ignored.
func ReadCSV(r io.Reader) (*Dictionary, error) {
	b, err := readAll(r)
	if err != nil {
		return nil, err
	}
	c := csv.NewReader(bytes.NewReader(b))
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	d := &Dictionary{}
	for row := 0; ; row++ {
		record, err := c.Read()
		if errors.Is(err, io.EOF) && row > 0 {
			return d.finish()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: not a table: %w", ErrDamaged, err)
		}

		line, _ := c.FieldPos(0)
		if len(record) < 2 || row == 0 && (record[0] != csvHead[0] || record[1] != csvHead[1]) {
			return nil, fmt.Errorf("%w: line %d: want columns %s", ErrDamaged, line, strings.Join(csvHead, ","))
		}
		if row == 0 {
			continue
		}

		addr, err := strconv.ParseUint(record[0], 0, 32)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: address: %w", ErrDamaged, line, err)
		}

		text, err := unescape(record[1])
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrDamaged, line, err)
		}
		if err := d.add(uint32(addr), text); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}

		if len(record) > 2 {
			if s, ok := parseSource(record[2]); ok {
				d.addSources(uint32(addr), []Source{s})
			}
		}
	}
}

// add adds one string of a dictionary that is no firmware file.
func (d *Dictionary) add(addr uint32, text string) error {
	if len(text) > MaxString {
		return fmt.Errorf("%w: string at address %#x has %d bytes, the limit is %d", ErrTooLarge, addr, len(text), MaxString)
	}
	if uint64(addr)+uint64(len(text)) > math.MaxUint32 {
		return fmt.Errorf("%w: string at address %#x passes the end of memory", ErrDamaged, addr)
	}
	data := append([]byte(text), 0)
	if !isString(data[:len(text)]) || strings.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("%w: string at address %#x holds bytes that are no text: %.40q", ErrDamaged, addr, text)
	}
	d.blocks = append(d.blocks, block{addr: addr, data: data})
	return nil
}

// finish puts the added strings in order. What is at an address that has another string
// already is of an overlay.
func (d *Dictionary) finish() (*Dictionary, error) {
	d.sort()
	kept := d.blocks[:0]
	for _, b := range d.blocks {
		if n := len(kept); n > 0 && b.addr == kept[n-1].addr {
			if !bytes.Equal(b.data, kept[n-1].data) {
				d.overlays = append(d.overlays, b)
			}
			continue
		}
		kept = append(kept, b)
	}
	d.blocks, d.listed = kept, true
	d.refOnce.Do(func() {}) // it lists each string that is used by itself
	return d, nil
}

// unescape undoes escape.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if s == "" {
			return "", errors.New("text ends in a backslash")
		}
		if at := strings.IndexByte(`\nrt`, s[0]); at >= 0 {
			b.WriteByte("\\\n\r\t"[at])
			s = s[1:]
			continue
		}
		if s[0] != 'x' || len(s) < 3 {
			return "", fmt.Errorf(`unknown escape \%c`, s[0])
		}

		c, err := strconv.ParseUint(s[1:3], 16, 8)
		if err != nil {
			return "", fmt.Errorf(`unknown escape \%.3s`, s)
		}
		b.WriteByte(byte(c))
		s = s[3:]
	}
}
