package answer

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestAddressIsHTTPSAndOfThisUpload(t *testing.T) {
	for reply, want := range map[string]string{
		`{"upload_id":5,"presigned_url":"https://h/p?q"}`:   "",
		`{"upload_id":"5","presigned_url":"https://h/p?q"}`: "",
		`{"upload_id":6,"presigned_url":"https://h/p?q"}`:   "another upload",
		`{"upload_id":5,"presigned_url":"ftp://h/p"}`:       "only https:",
		`{"upload_id":5,"presigned_url":"https:///p"}`:      "not one",
		`{"upload_id":5,"presigned_url":7}`:                 "not a string",
		`{"upload_id":5}`:                                   "no address",
		`{"upload_id":5,"presigned_url":"https://h/canary`:  "broken",
		`[]`: "not a JSON object",
	} {
		u, err := Address([]byte(reply), 5)
		if want == "" {
			if err != nil || u.String() != "https://h/p?q" {
				t.Errorf("%s: got %v, %v, want https://h/p?q", reply, u, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got error %v, want %q and no canary", reply, err, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{
		`{"token":7}`, `{"token":"7"}`, `{"token":7e0}`, `{"token":4294967295,"a":{}}`, `{"token":1e400}`, `{`, ``, `[]`,
		`{"token":7,"token":8}`, `{"a":[[[[`, `{"token":472}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := Token(b)
		if err != nil {
			if token != 0 {
				t.Fatalf("got token %d with an error, want 0", token)
			}
			return
		}
		var v struct {
			Token json.RawMessage `json:"token"`
		}
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%q: got token %d, and encoding/json says %v", b, token, err)
		}
		var text string
		if json.Unmarshal(v.Token, &text) != nil {
			text = string(v.Token)
		}
		if want, err := strconv.ParseFloat(text, 64); err != nil || want != float64(token) || token == 0 {
			t.Fatalf("%q: got token %d, want %v, %v", b, token, want, err)
		}
	})
}
