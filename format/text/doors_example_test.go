package text_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/format/text"
)

func ExampleParseModules() {
	numbers, names := text.ParseModules("3,SENSOR,5")
	fmt.Printf("%#b %q\n", numbers, names)
	// Output: 0b101000 ["SENSOR"]
}
