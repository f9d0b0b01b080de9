package inspect

import "testing"

// What only begins like a file that is known may be anything.
func TestRecognizeKnowsNoOther(t *testing.T) {
	for _, s := range []string{
		"", "BZhello", "{", "{}", `{"t":1,"lv":2,"m":"x"}`, `{"version":1}`, `{"v":1,"x":2}`, `{"S":{"name":"token"}}`, "-----BEGIN NATS USER JWT-----", "ulog", "\x1f\x8b", "\xfd7z",
	} {
		if is, takes := Recognize([]byte(s)); is != "" || takes != "" {
			t.Errorf("%q is %q: %q", s, is, takes)
		}
	}
}

// What is compressed and damaged is still known to be compressed.
func TestRecognizeDamagedFilesOfPackers(t *testing.T) {
	for s, want := range map[string]string{
		"\x1f\x8b\x08\xff":                 "a file compressed with gzip",
		"\x28\xb5\x2f\xfd\xff\xff\xff\xff": "a file compressed with zstd",
		"BZh91AY&SY\x00":                   "a file compressed with bzip2",
		"PK\x03\x04":                       "a file compressed with zip",
	} {
		if is, takes := Recognize([]byte(s)); is != want || takes == "" {
			t.Errorf("%q is %q: %q, want %q", s, is, takes, want)
		}
	}
}
