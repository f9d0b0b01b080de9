package choose_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/format/text/choose"
)

func ExampleBuilds_Choose() {
	v1, _ := dict.FromStrings(map[uint32]string{0x08001000: "motor %s stopped"})
	v2, _ := dict.FromStrings(map[uint32]string{0x08001000: "valve %d opened"})
	b, _ := format.NewLogBuilder(3)
	b.Add(&format.Record{FmtAddr: 0x08001000, Args: []format.Arg{format.ArgI32(7)}})
	raw, _ := b.AppendTo(nil)
	log, _, _ := format.ParseLog(raw)

	choice, err := text.Builds([]text.Dictionary{v1, v2}).Choose(choose.RecordsOf(log), nil)
	printf, _ := choice.Dictionary.Format(0x08001000)
	fmt.Println(printf, err)
	// Output: valve %d opened <nil>
}
