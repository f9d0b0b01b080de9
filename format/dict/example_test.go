package dict_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/format/dict"
)

func ExampleLoad() {
	firmware, err := dict.Load("testdata/elf/good/sections.elf")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, ok := firmware.Format(0x2005)
	fmt.Printf("%q %v\n", text, ok)
	module, ok := firmware.Module(0)
	fmt.Println(module, ok)
	// Output:
	// "value %s" true
	// MAIN true
}

func ExampleFromStrings() {
	firmware, err := dict.FromStrings(map[uint32]string{0x1000: "temp=%d", 0x1008: "ready"})
	if err != nil {
		fmt.Println(err)
		return
	}
	firmware.ID = dict.ID{Version: "v1.4.0"}
	if err := firmware.WriteCSV(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// addr,text,source
	// 0x1000,temp=%d,
	// 0x1008,ready,
}

// A store finds the firmware of a device that told its git hash.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "firmware")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer os.RemoveAll(dir)
	elf, err := os.ReadFile("testdata/elf/good/sections.elf")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "abc123def.elf"), elf, 0o600)
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	store, err := dict.OpenStore(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	firmware, err := store.Lookup(dict.ID{GitHash: "abc123def4567890abc123def4567890abc123de"})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(firmware.Len(), "strings")
	// Output: 3 strings
}
