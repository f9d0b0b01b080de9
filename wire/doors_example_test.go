package wire_test

import (
	"fmt"
	"io"
	"os"

	"github.com/ulogkit/ulogkit/wire"
)

// A capture that was rotated is read as one.
func ExampleNewCaptureFiles() {
	files := []wire.File{{Name: "sample.pcap", Open: func() (io.ReadCloser, error) { return os.Open("testdata/sample.pcap") }}}
	capture, err := wire.NewCaptureFiles(files, wire.CaptureConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	logs := 0
	for m := range capture.All() {
		if m.Kind == wire.KindLog {
			logs++
		}
	}
	fmt.Println(logs > 0, capture.Err())
	// Output: true <nil>
}
