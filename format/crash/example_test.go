package crash_test

import (
	"fmt"
	"log"
	"os"

	"github.com/ulogkit/ulogkit/format/crash"
)

func Example() {
	fw, err := crash.Load("testdata/dumps/firmware.elf")
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
	for _, reason := range fw.Explain(d).Reasons[:2] {
		fmt.Println(reason)
	}
	for _, f := range fw.Backtrace(d).Frames {
		fmt.Printf("%s %s:%d %s\n", f.Function, f.File, f.Line, f.Confidence)
	}
	// Output:
	// The code at pc 0x000003c4 divided by zero (DIVBYZERO).
	// The divisor is in r1.
	// divide firmware.c:96 unwound
	// middle firmware.c:163 unwound
	// outer firmware.c:190 unwound
	// main firmware.c:212 unwound
	// reset firmware.c:241 unwound
}

func ExampleExplain() {
	b, err := os.ReadFile("testdata/dumps/06.bin")
	if err != nil {
		log.Fatal(err)
	}
	d, err := crash.Read(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(crash.Explain(d).Reasons[1])
	// Output: The Thumb bit of xpsr is clear, which confirms it.
}
