package topic_test

import (
	"testing"

	"github.com/ulogkit/ulogkit/format/topic"
)

func TestFiltersAreBuiltOrRefused(t *testing.T) {
	for want, f := range map[string]name{
		"binlog/v0/42/+":     {Kind: topic.Log, Customer: "42", Application: topic.Any},
		"binlog/v0/42/+/+":   {Kind: topic.Log, Customer: "42", Group: topic.Any, Application: topic.Any},
		"core-dump/v0/42":    {Kind: topic.CoreDump, Customer: "42"},
		"core-dump/v0/42/+":  {Kind: topic.CoreDump, Customer: "42", Group: topic.Any},
		"boot/v0/42/0/+/+":   {Kind: topic.BootReply, Customer: "42", Group: "0", Application: topic.Any, Serial: topic.Any},
		"p/config/v0/+/+/S1": {Kind: topic.LogConfig, Prefix: "p/", Customer: topic.Any, Application: topic.Any, Serial: "S1"},
	} {
		got, err := f.Filter()
		if got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}

	for _, bad := range []name{
		{Kind: topic.Log, Customer: "42"},
		{Kind: topic.Log, Customer: "#", Application: topic.Any},
		{Kind: topic.Log, Customer: "42", Application: "+x"},
		{Kind: topic.Log, Prefix: "+/", Customer: "42", Application: topic.Any},
	} {
		if got, err := bad.Filter(); err == nil || got != "" {
			t.Errorf("%+v: got %q, %v, want an error", bad, got, err)
		}
	}
}

func TestSharedFiltersAreBuiltAndCut(t *testing.T) {
	got, err := topic.Shared("g", "binlog/v0/42/+")
	if got != "$share/g/binlog/v0/42/+" || err != nil {
		t.Errorf("got %q, %v, want \"$share/g/binlog/v0/42/+\"", got, err)
	}
	for _, group := range []string{"", "a/b", "+", "#", "\x00"} {
		if got, err := topic.Shared(group, "x"); err == nil || got != "" {
			t.Errorf("group %q: got %q, %v, want an error", group, got, err)
		}
	}
	for filter, want := range map[string][2]string{
		"$share/g/binlog/v0/42/+": {"g", "binlog/v0/42/+"}, "binlog/v0/42/+": {"", "binlog/v0/42/+"}, "$share/g": {"g", ""}, "$sharex/g/y": {"", "$sharex/g/y"},
	} {
		if group, rest := topic.CutShared(filter); group != want[0] || rest != want[1] {
			t.Errorf("%q: got %q and %q, want %q", filter, group, rest, want)
		}
	}
}

func TestFilterTellsItsOnlyCustomer(t *testing.T) {
	for filter, want := range map[string]string{
		"binlog/v0/42/+": "42", "$share/g/core-dump/v0/42": "42", "boot/v0/42/#": "42", "config/v0/42/7/SN": "42", "upload/v0/42/9": "42",
		"upload/v0/firmware/42/board": "42", "p/binlog/v0/42/+": "42",
		"#": "", "+/v0/42/#": "", "binlog/v0/+/7": "", "binlog/v0/#": "", "binlog/+/42/7": "", "upload/v0/firmware/+/x": "", "upload/v0/firmware": "",
		"+/binlog/v0/42/7": "", "x/v0/42": "", "": "", "binlog/v0": "", "$share/g": "", "binlog/v0/4#/7": "",
	} {
		if got, ok := topic.FilterCustomer(filter); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", filter, got, ok, want)
		}
	}
}
