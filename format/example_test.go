package format_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/format"
)

func ExampleParseLog() {
	b := exampleLog()

	log, rest, err := format.ParseLog(b)
	if err != nil || len(rest) > 0 {
		fmt.Println("not a log:", err)
		return
	}
	if err := log.Verify(); err != nil {
		fmt.Println(err)
		return
	}
	log.SetSessionToken(0x01020304) // in b; the checksum stays valid
	frames := log.Frames()
	for frames.Next() {
		record, err := format.ParsePayload(frames.Frame().Payload)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%v, module %d, format string at %#x:", record.Level(), record.Module(), record.FmtAddr())
		args := record.Args()
		for args.Next() {
			switch arg := args.Arg(); arg.Type() {
			case format.ArgTypeI32, format.ArgTypeI64:
				fmt.Printf(" %d", arg.Int())
			case format.ArgTypeString:
				fmt.Printf(" %q", arg.Text())
			case format.ArgTypeDouble:
				fmt.Printf(" %g", arg.Float())
			default:
				fmt.Printf(" %d", arg.Uint())
			}
		}
		fmt.Println()
	}
	if err := frames.Err(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// info, module 2, format string at 0x9259: -40 "outdoor"
	// error, module 5, format string at 0x92a1: 3.3
}

func ExampleCheckLog() {
	b := exampleLog()
	b[20] ^= 0x40
	fmt.Println(format.CheckLog(b))
	// Output:
	// at offset 15: log_v3.header.checksum: checksum mismatch: the header says 0x0066, the 49 bytes after it give 0x0026
}

func ExampleLogBuilder() {
	b, err := format.NewLogBuilder(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = b.Add(&format.Record{
		Level: format.LevelWarning, Module: 4, FmtAddr: 0x8000, Sequence: 17,
		Args: []format.Arg{format.ArgI32(-1), format.ArgU32(1000)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log, err := b.AppendTo(nil)
	fmt.Printf("% x %v\n", log, err)
	// Output:
	// 01 00 00 00 00 00 00 00 00 0f 00 fb 00 0b 00 11 00 44 00 80 00 00 02 11 22 ff e8 03 <nil>
}

func ExampleDecoder() {
	stream := append(exampleLog(), exampleLog()...)
	stream[40] ^= 0x01 // within the first record

	var d format.Decoder
	show := func(e format.Event) {
		fmt.Printf("%v at %d, %d bytes, verified %v", e.Kind, e.Offset, len(e.Bytes), e.Verified)
		if e.Reason != nil {
			fmt.Printf(": %v", e.Reason)
		}
		fmt.Println()
	}
	for len(stream) > 0 {
		n := min(10, len(stream))
		for event := range d.Feed(stream[:n]) {
			show(event)
		}
		stream = stream[n:]
	}
	for event := range d.Close() {
		show(event)
	}
	// Output:
	// log at 0, 17 bytes, verified false
	// frame at 17, 28 bytes, verified false
	// frame at 45, 21 bytes, verified false
	// log at 66, 17 bytes, verified true
	// frame at 83, 28 bytes, verified true
	// frame at 111, 21 bytes, verified true
}

func ExampleTransfer() {
	var transfer format.Transfer
	for _, notification := range [][]byte{
		{0, 0, 5, 0, 'h', 'e'},
		{0, 0, 5, 0, 'h', 'e'}, // again: the answer was lost
		{2, 0, 5, 0, 'l', 'l', 'o'},
	} {
		chunk, _, err := format.ParseChunk(notification)
		if err != nil {
			fmt.Println(err)
			continue
		}
		status, whole := transfer.Add(chunk)
		fmt.Printf("%v, answer %d", status, transfer.Next())
		if whole != nil {
			fmt.Printf(", received %q", whole)
		}
		fmt.Println()
	}
	// Output:
	// started, answer 2
	// started, answer 2
	// completed, answer 5, received "hello"
}

func ExampleParseCrashCatcher() {
	dump, rest, err := format.ParseCoreDump(exampleDump())
	if err != nil || len(rest) > 0 {
		fmt.Println("not a crash dump:", err)
		return
	}

	if err := dump.Verify(); err != nil {
		fmt.Println(err)
		return
	}

	crash, err := format.ParseCrashCatcher(dump.Crash)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Printf("%s, firmware %s\n", dump.Header.DeviceType(), dump.Header.VersionString())
	fmt.Printf("pc %#x, lr %#x, fault status %#x\n", crash.Registers.PC(), crash.Registers.LR(), crash.FaultRegisters().CFSR())
	for region := range crash.Regions() {
		fmt.Printf("%#x to %#x: %d bytes\n", region.Start, region.End, len(region.Data))
	}
	// Output:
	// sensor, firmware 1.4.0
	// pc 0x8124, lr 0x8031, fault status 0x8200
	// 0x20000000 to 0x20000004: 4 bytes
	// 0xe000ed28 to 0xe000ed3c: 20 bytes
}

func ExampleCheckCoreDump() {
	b := exampleDump()
	fmt.Println(format.CheckCoreDump(b))
	fmt.Println(format.CheckCoreDump(b[:300]))
	// Output:
	// <nil>
	// at offset 300: core_dump.crash: ends too early: its header announces 392 bytes in all, the input has 300
}

func ExampleParseDeviceInfo() {
	info, _, err := format.ParseDeviceInfo([]byte("\x2a\x00\x00\x00SN-001\x00sensor\x00"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("application %d, %s, %s, version is missing: %v\n", info.ApplicationID, info.DeviceSerial, info.DeviceType, info.GitVersion == nil)
	// Output:
	// application 42, SN-001, sensor, version is missing: true
}

func ExampleLogConfig() {
	var config format.LogConfig
	config.SetLevel(format.LevelWarning)
	config.SetModuleFlags(1<<2 | 1<<5) // modules 2 and 5
	config.SetTimeoutSeconds(3600)
	b, err := config.AppendTo(nil)
	fmt.Printf("% x %v\n", b, err)

	config.SetLevel(format.LevelMetric) // no level to ask for
	_, err = config.AppendTo(nil)
	fmt.Println(err)
	// Output:
	// 02 24 00 00 00 10 0e 00 00 <nil>
	// log_config.level at offset 0: value not allowed
}

// exampleDump returns a crash dump with two regions of memory.
func exampleDump() []byte {
	var head format.CrashHeader
	head.SetMagic()
	var registers format.Registers
	registers.SetLR(0x8031)
	registers.SetPC(0x8124)
	var faults format.FaultRegisters
	faults.SetCFSR(0x8200) // a precise bus fault
	crash := append(head[:], registers[:]...)
	for _, region := range []format.MemoryRegion{
		{Start: 0x20000000, End: 0x20000004, Data: []byte{1, 2, 3, 4}},
		{Start: 0xe000ed28, End: 0xe000ed3c, Data: faults[:]},
	} {
		var err error
		if crash, err = region.AppendTo(crash); err != nil {
			return nil
		}
	}

	dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: crash}
	dump.Header.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(crash)))
	dump.Header.SetVersion(1)
	if dump.Header.SetDeviceType("sensor") != nil || dump.Header.SetVersionString("1.4.0") != nil {
		return nil
	}

	dump.Seal()
	b, err := dump.AppendTo(nil)
	if err != nil {
		return nil
	}

	return b
}

// exampleLog returns a log of two records.
func exampleLog() []byte {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return nil
	}
	b.Tick, b.TickRateHz = 100000, 32768
	for _, r := range []format.Record{
		{
			Level: format.LevelInfo, Module: 2, FmtAddr: 0x9259, TickDelta: 60000,
			Args: []format.Arg{format.ArgI32(-40), format.ArgString("outdoor")},
		},
		{
			Level: format.LevelError, Module: 5, FmtAddr: 0x92a1, TickDelta: 30000,
			Args: []format.Arg{format.ArgDouble(3.3)},
		},
	} {
		if err := b.Add(&r); err != nil {
			return nil
		}
	}

	log, err := b.AppendTo(nil)
	if err != nil {
		return nil
	}

	return log
}
