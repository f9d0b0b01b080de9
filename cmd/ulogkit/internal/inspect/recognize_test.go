package inspect

import (
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// What only begins like a file that is known may be anything.
func TestRecognizeKnowsNoOther(t *testing.T) {
	for _, s := range []string{
		"", "BZhello", "{", "{}", `{"t":1,"lv":2,"m":"x"}`, `{"version":1}`, `{"v":1,"x":2}`, `{"S":{"name":"token"}}`, "-----BEGIN NATS USER JWT-----", "-----BEGIN PUBLIC KEY-----", "ulog", "\x1f\x8b", "\xfd7z",
	} {
		if is, takes := Recognize([]byte(s)); is != "" || takes != "" {
			t.Errorf("%q: got %q, for %q; want it not recognized", s, is, takes)
		}
	}
}

// What is compressed and damaged is still known to be compressed.
func TestDamagedPackedFilesAreRecognized(t *testing.T) {
	for s, want := range map[string]string{
		"\x1f\x8b\x08\xff":                 "a file compressed with gzip",
		"\x28\xb5\x2f\xfd\xff\xff\xff\xff": "a file compressed with zstd",
		"BZh91AY&SY\x00":                   "a file compressed with bzip2",
		"PK\x03\x04":                       "a file compressed with zip",
		"\xfd7zXZ\x00":                     "a file compressed with xz",
		"\x04\x22\x4d\x18\x64\x40\xa7":     "a file compressed with lz4", // a log begins with this 4 too
	} {
		if is, takes := Recognize([]byte(s)); is != want || takes == "" {
			t.Errorf("%q is %q: %q, want %q", s, is, takes, want)
		}
	}
}

// A log is one, damaged or not, unless it begins like what lz4 has packed and is not
// sound.
func TestLogsAreToldFromLZ4(t *testing.T) {
	for token, want := range map[uint32][2]string{
		5:          {ALog, ALog},
		0x64184d23: {ALog, ALog},
		0x64184d22: {ALog, "a file compressed with lz4"},
	} {
		b, err := format.NewLogBuilder(4)
		if err != nil {
			t.Fatal(err)
		}
		b.SessionToken = token
		if err := b.Add(&format.Record{Level: format.LevelInfo}); err != nil {
			t.Fatal(err)
		}
		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		whole, _ := Recognize(log)
		log[len(log)-1] ^= 1
		damaged, _ := Recognize(log)
		if whole != want[0] || damaged != want[1] {
			t.Errorf("token 0x%x: whole it is %q, damaged %q, want %q", token, whole, damaged, want)
		}
	}
}
