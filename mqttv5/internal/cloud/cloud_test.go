package cloud

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
		`{"upload_id":5,"presigned_url":"https://h/p?q","x":"` + strings.Repeat("canary", maxLen/6) + `"}`: "at most 16384 are expected",
	} {
		u, err := ParseFirmwareReply([]byte(reply), 5)
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

// A token in an answer that cannot be used is still one that works for somebody.
func TestTokenIsNotShown(t *testing.T) {
	const secret = "987654321"
	for _, reply := range []string{
		`{"token":` + secret + `.5}`, `{"token":"` + secret + `x"}`, `{"token":` + secret, `{"token":"` + secret, `{"token":` + secret + `0}`, `{"token":-` + secret + `}`,
		`[` + secret + `]`, secret, `"` + secret + `"`, `{"token":` + secret + `,"token":` + secret + `}`, `{"token":` + secret + `}` + secret, `{"token":[` + secret + `]}`,
		`{"token":{"a":` + secret + `}}`, `{token:` + secret + `}`, `{"token":` + secret + `e9}`, `token=` + secret, `{"` + secret + `":1}`, `{"token" ` + secret + `}`,
	} {
		if _, err := ParseBootReply([]byte(reply)); err == nil || strings.Contains(err.Error(), secret[:5]) {
			t.Errorf("%s: got %v, want an error that does not show it", reply, err)
		}
	}
}

func FuzzBootReply(f *testing.F) {
	for _, s := range []string{
		`{"token":7}`, `{"token":"7"}`, `{"token":7e0}`, `{"token":4294967295,"a":{}}`, `{"token":1e400}`, `{`, ``, `[]`,
		`{"token":7,"token":8}`, `{"a":[[[[`, `{"token":472}}`, `{"token":7,"TOKEN":8}`, `{"token":1e-400}`,
	} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, b []byte) {
		token, err := ParseBootReply(b)
		if err != nil {
			if token != 0 {
				t.Fatalf("got token %d with an error, want 0", token)
			}
			return
		}
		var v map[string]json.RawMessage // names of fields would fit in any case
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%q: got token %d, want an error as of encoding/json: %v", b, token, err)
		}
		var text string
		if json.Unmarshal(v["token"], &text) != nil {
			text = string(v["token"])
		}
		if want, err := strconv.ParseFloat(text, 64); err != nil || want != float64(token) || token == 0 {
			t.Fatalf("%q: got token %d, want %v, %v", b, token, want, err)
		}
	})
}

// Whatever answers a request for an address, what is taken is an https: address with a
// host, and an error shows nothing of it.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		`{"upload_id":5,"presigned_url":"https://h/p?q"}`, `{"upload_id":"5","presigned_url":"HTTPS://[::1]:1/%41"}`, `{"presigned_url":"https:///x"}`, `{"presigned_url":"ftp://h"}`,
		`{"presigned_url":"https://u:p@h/"}`, `{"presigned_url":"https://h\u0000/"}`, `{"upload_id":6}`, `{`, ``, `[]`, `{"presigned_url":7}`,
	} {
		f.Add([]byte(s), "canary")
	}
	f.Fuzz(func(t *testing.T, b []byte, canary string) {
		u, err := ParseFirmwareReply(b, 5)
		switch {
		case err != nil && u != nil:
			t.Fatalf("%q: got address %v with error %v, want none", b, u, err)
		case err == nil && (u.Scheme != "https" || u.Host == ""):
			t.Fatalf("%q: got %v, want an https: address with a host", b, u)
		}
		quoted, _ := json.Marshal("ftp://h/?canary" + canary)
		if _, err := ParseFirmwareReply([]byte(`{"presigned_url":`+string(quoted)+`}`), 5); err == nil || strings.Contains(err.Error(), "canary") {
			t.Fatalf("%s: got %v, want an error that does not show it", quoted, err)
		}
	})
}

func TestCustomerIsANumberWhereItIsOne(t *testing.T) {
	for customer, want := range map[Customer]string{"975773647": "975773647", "007": `"007"`, "acme": `"acme"`, "-1": `"-1"`, "0": `"0"`} {
		if got, err := json.Marshal(customer); err != nil || string(got) != want {
			t.Errorf("%q: got %s, %v, want %s", string(customer), got, err, want)
		}
	}
}
