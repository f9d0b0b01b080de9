package topic_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format/topic"
)

type name = topic.Topic[string]

// names are FORMAT section 5's, with what each part is.
var names = map[string]name{
	"boot/v0/C/7":                        {Kind: topic.BootRequest, Customer: "C", Application: "7"},
	"boot/v0/C/0/7":                      {Kind: topic.BootRequest, Customer: "C", Group: "0", Application: "7"},
	"boot/v0/C/7/SN-1":                   {Kind: topic.BootReply, Customer: "C", Application: "7", Serial: "SN-1"},
	"boot/v0/C/G/7/SN-1":                 {Kind: topic.BootReply, Customer: "C", Group: "G", Application: "7", Serial: "SN-1"},
	"binlog/v0/C/7":                      {Kind: topic.Log, Customer: "C", Application: "7"},
	"binlog/v0/C/G/7":                    {Kind: topic.Log, Customer: "C", Group: "G", Application: "7"},
	"core-dump/v0/C":                     {Kind: topic.CoreDump, Customer: "C"},
	"core-dump/v0/C/G":                   {Kind: topic.CoreDump, Customer: "C", Group: "G"},
	"config/v0/C/7/SN-1":                 {Kind: topic.LogConfig, Customer: "C", Application: "7", Serial: "SN-1"},
	"config/v0/C/G/7/SN-1":               {Kind: topic.LogConfig, Customer: "C", Group: "G", Application: "7", Serial: "SN-1"},
	"metrics/v0/C/7":                     {Kind: topic.Metrics, Customer: "C", Application: "7"},
	"metrics/v0/C/0/7":                   {Kind: topic.Metrics, Customer: "C", Group: "0", Application: "7"},
	"events/v0/C/7":                      {Kind: topic.Events, Customer: "C", Application: "7"},
	"events/v0/C/0/7":                    {Kind: topic.Events, Customer: "C", Group: "0", Application: "7"},
	"logs/v0/C/7":                        {Kind: topic.TextLog, Customer: "C", Application: "7"},
	"logs/v0/C/G/7":                      {Kind: topic.TextLog, Customer: "C", Group: "G", Application: "7"},
	"upload/v0/firmware/C/board":         {Kind: topic.FirmwareRequest, Customer: "C", DeviceType: "board"},
	"upload/v0/firmware/C/G/board":       {Kind: topic.FirmwareRequest, Customer: "C", Group: "G", DeviceType: "board"},
	"upload/v0/C/9":                      {Kind: topic.FirmwareReply, Customer: "C", UploadID: "9"},
	"upload/v0/C/G/9":                    {Kind: topic.FirmwareReply, Customer: "C", Group: "G", UploadID: "9"},
	"ulogger/binlog/v0/C/0/7":            {Kind: topic.Log, Prefix: "ulogger/", Customer: "C", Group: "0", Application: "7"},
	"/core-dump/v0/C":                    {Kind: topic.CoreDump, Prefix: "/", Customer: "C"},
	"$aws/rules/r/boot/v0/C/7":           {Kind: topic.BootRequest, Prefix: "$aws/rules/r/", Customer: "C", Application: "7"},
	"site/binlog/config/v0/C/7/S":        {Kind: topic.LogConfig, Prefix: "site/binlog/", Customer: "C", Application: "7", Serial: "S"},
	"binlog/v0/boot/v0/7":                {Kind: topic.Log, Customer: "boot", Group: "v0", Application: "7"},
	"boot/v0/C/7/..":                     {Kind: topic.BootReply, Customer: "C", Application: "7", Serial: ".."},
	"binlog/v0/42/7/SN-1":                {Kind: topic.Log, Customer: "42", Group: "7", Application: "SN-1"},
	"config/v0/C/7/caf\u00e9 \U0001F600": {Kind: topic.LogConfig, Customer: "C", Application: "7", Serial: "caf\u00e9 \U0001F600"},
}

func TestEachFormIsTakenApartAndPutTogether(t *testing.T) {
	kinds := map[topic.Kind]bool{}
	for s, want := range names {
		kinds[want.Kind] = true
		got, ok := topic.Parse(s)
		if !ok || got != want {
			t.Errorf("Parse(%q): got %+v, %v, want %+v", s, got, ok, want)
		}
		if got, err := want.Name(); got != s || err != nil {
			t.Errorf("Name of %+v: got %q, %v, want %q", want, got, err, s)
		}
	}
	if len(kinds) != int(topic.FirmwareReply) {
		t.Errorf("got forms of %d kinds, want all %d", len(kinds), topic.FirmwareReply)
	}
}

// Case delivery/topic-three-segments: three readers, three answers.
func TestNamesThatAreNoTopicAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "/", "boot", "boot/v0", "boot/v0/", "boot/v0/C", "boot/v0/C/G/7/S/x", "boot/v0/C//7", "boot/v0//7", "boot/v0/C/7/",
		"core-dump/v0/7/g/42", "core-dump/v0/", "core-dump/v0/C/", "binlog/v0/C", "binlog/v0/C/G/7/S", "binlog/v1/C/7", "Binlog/v0/C/7",
		"config/v0/C/7", "config/v0/C/G/7/S/x", "metrics/v0/C", "metrics/v0/C/G/7/S", "logs/v0/C", "upload/v0/C", "upload/v0/firmware/C",
		"upload/v0/firmware", "upload/v0/firmware/C/G/board/x", "upload/v0/C/G/9/x", "binlog/v0/C/+", "binlog/v0/C/#", "binlog/v0/C/7\x00",
		"binlog/v0/\xff/7", "binlog/v0/C/7\n", "a\x00/binlog/v0/C/7", "binlog/v0/boot/v0/7/8", "binlog/v0/C/" + strings.Repeat("7", 65),
		strings.Repeat("p", 128) + "/binlog/v0/C/7", "$share/g/binlog", "xbinlog/v0/C/7", "v0/C/7", "binlog/C/7",
	} {
		if got, ok := topic.Parse(s); ok || got != (name{}) {
			t.Errorf("Parse(%q): got %+v, %v, want none", s, got, ok)
		}
	}
}

func TestBootWithThreeSegmentsHasTwoReadings(t *testing.T) {
	got, ok := topic.Parse("p/boot/v0/42/0/7")
	if want := (name{Kind: topic.BootRequest, Prefix: "p/", Customer: "42", Group: "0", Application: "7"}); !ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	reply, ok := got.Reply()
	if want := (name{Kind: topic.BootReply, Prefix: "p/", Customer: "42", Application: "0", Serial: "7"}); !ok || reply != want {
		t.Errorf("Reply: got %+v, %v, want %+v", reply, ok, want)
	}
	for s, v := range names {
		if _, ok := v.Reply(); ok != (s == "boot/v0/C/0/7") {
			t.Errorf("Reply of %q: got %v, want %v", s, ok, !ok)
		}
	}
}

// Whatever a device or an account calls itself, it stays within its segment, or is
// refused by name.
func TestHostileNamesAreRefused(t *testing.T) {
	hostile := []string{
		"/", "a/b", "../x", "+", "#", "a#", "\x00", "\n", "\x7f", "a\u0085b", "\uFEFFx", "\uFFFE", "\uFDD0", "\U0001FFFF", "\xff", "\xed\xa0\x80",
		strings.Repeat("x", topic.MaxSegment+1),
	}

	for s, good := range names {
		for _, h := range hostile {
			for field, edit := range map[string]func(*name){
				"customer": func(t *name) { t.Customer = h }, "group": func(t *name) { t.Group = h }, "application": func(t *name) { t.Application = h },
				"serial": func(t *name) { t.Serial = h }, "device type": func(t *name) { t.DeviceType = h }, "upload id": func(t *name) { t.UploadID = h },
				"prefix": func(t *name) { t.Prefix = h },
			} {
				bad := good
				edit(&bad)
				dst, err := bad.AppendTo([]byte("dst"))
				if err == nil && (field == "prefix" && (h == "/" || h == "../") || string(dst) == "dst"+s) {
					continue // a prefix may be levels; a field that the kind lacks is not written
				}
				if err == nil || !strings.HasPrefix(err.Error(), field+" of topic: ") || string(dst) != "dst" {
					t.Errorf("%s %q in %q: got %q, %v, want the name of the field", field, h, s, dst, err)
				}
			}
		}
	}

	for _, bad := range []name{
		{},
		{Kind: topic.FirmwareReply + 1, Customer: "C"},
		{Kind: topic.Log, Customer: "C"},
		{Kind: topic.CoreDump},
		{Kind: topic.BootReply, Customer: "C", Application: "7"},
		{Kind: topic.FirmwareReply, Customer: "firmware", UploadID: "9"},
		{Kind: topic.Log, Prefix: "binlog/v0/", Customer: "C", Application: "7"},
		{Kind: topic.Log, Prefix: "ulogger", Customer: "C", Application: "7"},
		{Kind: topic.Log, Prefix: strings.Repeat("p", 128) + "/", Customer: "C", Application: "7"},
		{Kind: topic.Log, Customer: topic.Any, Application: "7"},
	} {
		if got, err := bad.Name(); err == nil || got != "" {
			t.Errorf("%+v: got %q, %v, want an error", bad, got, err)
		}
	}
}

func segment() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[0-9]{1,10}`), rapid.StringMatching(`[ -~]{0,66}`), rapid.String(),
		rapid.SampledFrom([]string{"v0", "boot", "firmware", "0", "4294967296", "+", "#", ".."}),
	)
}

// parse(append(t)) is t, but for a reply without group whose serial is a number.
func TestParseUndoesAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := topic.Kind(rapid.IntRange(0, int(topic.FirmwareReply)).Draw(t, "kind"))
		in := name{
			Kind: k, Customer: segment().Draw(t, "customer"),
			Prefix: rapid.SampledFrom([]string{"", "", "ulogger/", "a/b/", "boot/", "boot/v0/", "x"}).Draw(t, "prefix"),
			Group:  rapid.OneOf(rapid.Just(""), segment()).Draw(t, "group"),
		}

		last := segment().Draw(t, "last")
		switch k {
		case topic.BootReply, topic.LogConfig:
			in.Serial, in.Application = last, segment().Draw(t, "application")
		case topic.FirmwareRequest:
			in.DeviceType = last
		case topic.FirmwareReply:
			in.UploadID = last
		case topic.CoreDump:
		default:
			in.Application = last
		}

		s, err := in.Name()
		if err != nil {
			return
		}
		got, ok := topic.Parse(s)
		if got != in {
			if _, number := (name{Application: in.Serial}).ApplicationID(); k == topic.BootReply && in.Group == "" && number {
				got, ok = got.Reply()
			}
		}

		// A request with a group needs an application that is a number to be told.
		if _, number := in.ApplicationID(); k == topic.BootRequest && in.Group != "" && !number {
			return
		}
		if !ok || got != in {
			t.Fatalf("%q: got %+v, %v, want %+v", s, got, ok, in)
		}
	})
}

func FuzzParse(f *testing.F) {
	for s := range names {
		f.Add(s)
	}
	for _, s := range []string{"core-dump/v0/7/g/42", "boot/v0/C/7/../x", "boot/v0/C/#/+", "binlog/v0/boot/v0/7/8", "a\x00/binlog/v0/C/7", "binlog/v0/\xff/7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := topic.Parse(s)
		view, same := topic.Parse([]byte(s))
		if ok != same || got.Kind != view.Kind || !bytes.Equal(view.Serial, []byte(got.Serial)) || !bytes.Equal(view.Customer, []byte(got.Customer)) {
			t.Fatalf("%q: got %+v, %v as a string and %+v, %v as bytes, want the same", s, got, ok, view, same)
		}
		if !ok {
			return
		}

		if back, err := got.Name(); err != nil || back != s {
			t.Fatalf("taken apart and put together: got %q, error %v, want %q", back, err, s)
		}
		for _, part := range []string{got.Customer, got.Group, got.Application, got.Serial, got.DeviceType, got.UploadID} {
			if strings.ContainsAny(part, "/+#\x00\n") || len(part) > topic.MaxSegment {
				t.Fatalf("%q: got segment %q, want none of / + # NUL or newline and at most %d bytes", s, part, topic.MaxSegment)
			}
		}

		if reply, ok := got.Reply(); ok {
			if back, err := reply.Name(); err != nil || back != s {
				t.Fatalf("its other reading, put together: got %q, error %v, want %q", back, err, s)
			}
		}
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	for s := range names {
		b := []byte(s)
		if n := testing.AllocsPerRun(100, func() { topic.Parse(s) }); n != 0 {
			t.Errorf("Parse(%q): got %v allocations, want 0", s, n)
		}
		if n := testing.AllocsPerRun(100, func() { topic.Parse(b) }); n != 0 {
			t.Errorf("Parse([]byte(%q)): got %v allocations, want 0", s, n)
		}
	}
	bad, dst := []byte("binlog/v0/C\x00/7"), make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { topic.Parse(bad) }); n != 0 {
		t.Errorf("Parse of a bad name: got %v allocations, want 0", n)
	}
	good := names["config/v0/C/G/7/SN-1"]
	if n := testing.AllocsPerRun(100, func() { good.AppendTo(dst) }); n != 0 {
		t.Errorf("AppendTo: got %v allocations, want 0", n)
	}
}

func TestApplicationIDIsDecimalOf32Bits(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "7": 7, "4294967295": 1<<32 - 1, "4294967296": -1, "": -1, "07": -1, "+7": -1, "-1": -1, "7x": -1, "99999999999": -1} {
		got, ok := (name{Application: s}).ApplicationID()
		if ok != (want >= 0) || ok && int64(got) != want {
			t.Errorf("%q: got %d, %v, want %d", s, got, ok, want)
		}
	}
}

func TestExplainSaysWhyANameIsNoTopic(t *testing.T) {
	for name, want := range map[string]string{
		"binlog/v0/1/2":      "",
		"binlog/v1/1/2":      `the version is "v1" and not "v0"`,
		"binlog/v0/1":        "it has not the segments of a topic that begins with binlog/v0",
		"core-dump/v0/1/2/3": "it has not the segments of a topic that begins with core-dump/v0",
		"BinLog/v0/1/2":      `"BinLog" is written "binlog"`,
		"weather/today":      "it is no topic of the cloud",
		"":                   "it is no topic of the cloud",
	} {
		got := ""
		if err := topic.Explain(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
