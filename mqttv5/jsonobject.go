package mqttv5

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Longest JSON message from the cloud that is looked at, in bytes.
const maxCloudJSON = 16 << 10

// eachMember calls f with the members of a JSON object. Objects of the cloud are
// small and flat: one that is long, repeats a key or goes on after its end is
// refused, since somebody else would read it differently.
func eachMember(b []byte, f func(key string, value json.RawMessage) error) error {
	if len(b) > maxCloudJSON {
		return fmt.Errorf("%d bytes, at most %d are expected", len(b), maxCloudJSON)
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
