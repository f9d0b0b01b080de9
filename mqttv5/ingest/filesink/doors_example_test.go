package filesink_test

import (
	"fmt"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// A folder that is no sink is told from an empty one, before anything is read.
func ExampleOpenSource() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_, err = filesink.OpenSource(dir)
	fmt.Println(err != nil)

	sink, err := filesink.Open(filesink.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close()
	_, err = filesink.OpenSource(dir)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}
