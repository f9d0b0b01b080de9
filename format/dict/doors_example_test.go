package dict_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/ulogkit/ulogkit/format/dict"
)

// A dictionary is made of a firmware once, and read without it from then on.
func ExampleReadELF() {
	elf, err := os.ReadFile("testdata/elf/good/sections.elf")
	if err != nil {
		fmt.Println(err)
		return
	}

	firmware, err := dict.ReadELF(bytes.NewReader(elf), int64(len(elf)))
	if err != nil {
		fmt.Println(err)
		return
	}

	var file bytes.Buffer
	if err := firmware.WriteJSON(&file); err != nil {
		fmt.Println(err)
		return
	}

	small, err := dict.ReadJSON(&file)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(small.Format(0x2005))
	// Output: value %s true
}

func ExampleReadCSV() {
	firmware, err := dict.ReadCSV(strings.NewReader("addr,text,source\n0x1000,temp=%d,\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(firmware.Format(0x1000))
	// Output: temp=%d true
}
