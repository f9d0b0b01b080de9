package format_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/format"
)

// The header alone is enough to tell a log's version and how long it is.
func ExampleParseHeader() {
	h, rest, err := format.ParseHeader(exampleLog())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("version", h.Version(), "with", len(rest), "bytes behind it")
	// Output: version 3 with 49 bytes behind it
}

// What the cloud sends may have the names of modules behind what a device reads.
func ExampleParseLogConfigMessage() {
	config, names, err := format.ParseLogConfigMessage([]byte("\x02\x24\x00\x00\x00\x10\x0e\x00\x00[\"net\"]"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.Level(), config.TimeoutSeconds(), string(names))
	// Output: warning 3600 ["net"]
}
