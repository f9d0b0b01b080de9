package crash_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/ulogkit/ulogkit/format/crash"
)

// Of several builds, the one that fits the dump is taken.
func ExampleLoadAll() {
	builds, err := crash.LoadAll([]string{"testdata/dumps", "testdata/debug/dwarf5.elf"})
	if err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile("testdata/dumps/03.bin")
	if err != nil {
		log.Fatal(err)
	}
	d, err := crash.Read(b)
	if err != nil {
		log.Fatal(err)
	}
	best, _ := crash.Choose(builds, d)
	fmt.Println(best.Summary(d, best.Backtrace(d)))
	// Output: Division by zero in divide, firmware.c:96
}

// Of each file it is told when it has been read.
func ExampleLoadEach() {
	builds, err := crash.LoadEach([]string{"testdata/dumps/firmware.elf"}, func(path string) { fmt.Println(path) })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(builds), "build")
	// Output:
	// testdata/dumps/firmware.elf
	// 1 build
}

func ExampleReadELF() {
	elf, err := os.ReadFile("testdata/dumps/firmware.elf")
	if err != nil {
		log.Fatal(err)
	}
	fw, err := crash.ReadELF(bytes.NewReader(elf), int64(len(elf)))
	if err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile("testdata/dumps/02.bin")
	if err != nil {
		log.Fatal(err)
	}
	d, err := crash.Read(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(fw.Summary(d, fw.Backtrace(d)))
	// Output: Write to a null pointer (0x0000000c) in write_null, firmware.c:94
}
