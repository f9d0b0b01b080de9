package text_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
)

// A format is parsed once; a record's payload is rendered with it, which
// allocates nothing if the buffer has room.
func ExampleTemplate_Append() {
	template := text.ParseTemplate("temp=%d rh=%5.1f%% %s")
	record := format.Record{Args: []format.Arg{format.ArgI32(-5), format.ArgDouble(45.25), format.ArgDropped()}}
	payload, _ := record.AppendTo(nil)
	p, err := format.ParsePayload(payload)
	if err != nil {
		fmt.Println(err)
		return
	}
	buf := make([]byte, 0, 256)
	buf = template.Append(buf[:0], p)
	fmt.Printf("%s\n", buf)
	// Output: temp=-5 rh= 45.2% <missing>
}

// sensorLog is a log of three records of a sensor's firmware.
func sensorLog() ([]byte, *dict.Dictionary) {
	d, _ := dict.FromStrings(map[uint32]string{0x8000: "temp=%d", 0x8008: "radio %s"})
	d.SetModules(map[uint8]string{1: "SENSOR", 2: "RADIO"})
	b, _ := format.NewLogBuilder(3)
	b.TickRateHz = 1000
	for _, r := range []format.Record{
		{Level: format.LevelInfo, Module: 1, FmtAddr: 0x8000, TickDelta: 250, Args: []format.Arg{format.ArgI32(21)}},
		{Level: format.LevelError, Module: 2, FmtAddr: 0x8008, TickDelta: 500, Args: []format.Arg{format.ArgString("timed out")}},
		{Level: format.LevelInfo, Module: 1, FmtAddr: 0x8000, TickDelta: 250, Args: []format.Arg{format.ArgI32(35)}},
	} {
		b.Add(&r)
	}
	log, _ := b.AppendTo(nil)
	return log, d
}

func ExampleDecoder() {
	log, firmware := sensorLog()
	decoder, err := text.NewDecoder(text.Config{Dictionaries: []text.Dictionary{firmware}})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := decoder.Decode(context.Background(), "log.bin", bytes.NewReader(log), os.Stdout)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Records, "records, lost:", report.Lost())
	// Output:
	//     0.250000 info     SENSOR   temp=21
	//     0.750000 error    RADIO    radio timed out
	//     1.000000 info     SENSOR   temp=35
	// 3 records, lost: false
}

// A filter is decided on undecoded bytes as far as it can be.
func ExampleFilter() {
	log, firmware := sensorLog()
	line, err := text.ParseLine("{seconds} {text}", false)
	if err != nil {
		fmt.Println(err)
		return
	}

	decoder, err := text.NewDecoder(text.Config{
		Dictionaries: []text.Dictionary{firmware},
		Line:         line,
		Filter: text.Filter{
			Levels:      text.LevelsFrom(format.LevelInfo),
			ModuleNames: []string{"sensor"},
			Grep:        regexp.MustCompile(`temp=[3-9]`),
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	if _, err := decoder.Decode(context.Background(), "log.bin", bytes.NewReader(log), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output: 1.000000 temp=35
}

func ExampleDecoder_Stats() {
	log, firmware := sensorLog()
	decoder, err := text.NewDecoder(text.Config{Dictionaries: []text.Dictionary{firmware}, Quiet: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := decoder.Decode(context.Background(), "log.bin", bytes.NewReader(log), os.Stdout); err != nil {
		fmt.Println(err)
	}
	for _, row := range decoder.Stats().Rows() {
		fmt.Printf("%2d bytes in %d records: %s\n", row.Bytes, row.Records, row.Format)
	}
	// Output:
	// 28 bytes in 2 records: temp=%d
	// 28 bytes in 1 records: radio %s
}
