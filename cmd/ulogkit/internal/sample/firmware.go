package sample

import (
	"sync"

	"github.com/ulogkit/ulogkit/format"
)

// The simulated firmware's modules; always is the format's own.
const (
	moduleMain = iota
	moduleSensor
	moduleRadio
	moduleStorage
	modulePower
	always = 31
)

// statement is one log call in the simulated firmware.
type statement struct {
	level  format.Level
	module uint8
	weight int // how often, relative to the others in the loop
	format string
	args   func(d *Device) []format.Arg
	addr   uint32 // of format
}

// image is the firmware as linked: every format string has an address.
type image struct {
	boot, loop []statement
	weight     int // sum over loop
	formats    map[uint32]string
}

// linked places the format strings as a linker would: one after the other,
// each aligned to 4 bytes.
var linked = sync.OnceValue(func() *image {
	m := &image{boot: bootBanner(), loop: mainLoop(), formats: map[uint32]string{}}
	addr := uint32(0x0800_9a40)
	for _, part := range [][]statement{m.boot, m.loop} {
		for i := range part {
			part[i].addr = addr
			m.formats[addr] = part[i].format
			addr += uint32(len(part[i].format)+1+3) &^ 3
			m.weight += part[i].weight
		}
	}
	return m
})

// bootBanner is said once, in order. Together it has every type of argument.
func bootBanner() []statement {
	return []statement{
		{level: format.LevelInfo, module: moduleMain, format: "boot: firmware %s, reset cause 0x%08x", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("v1.4.0"), format.ArgU32(1 << (24 + d.random.Uint32N(8)))}
		}},
		{level: format.LevelInfo, module: moduleMain, format: "heap at %p, %u bytes", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgPointer(0x2000_4000 + 8*d.random.Uint32N(64)), format.ArgU32(24576)}
		}},
		{level: format.LevelInfo, module: modulePower, format: "power source '%c', battery %d mV", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgChar("BU"[d.random.IntN(2)]), format.ArgI32(d.millivolts)}
		}},
		{level: format.LevelInfo, module: moduleMain, format: "clock corrected by %lld ns, up %llu us", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgI64(d.random.Int64N(8e9) - 4e9), format.ArgU64(d.microseconds())}
		}},
		{level: format.LevelMetric, module: always, format: "metric_%s=%.15g", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("boot_seconds"), format.ArgDouble(float64(d.tick) / TickRateHz)}
		}},
	}
}

// mainLoop returns what the simulated firmware logs over and over, each with how often.
func mainLoop() []statement {
	return []statement{
		{weight: 20, level: format.LevelDebug, module: moduleSensor, format: "adc %u %u %u", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgU32(d.random.Uint32N(4096)), format.ArgU32(d.random.Uint32N(4096)), format.ArgU32(d.random.Uint32N(4096))}
		}},
		{weight: 15, level: format.LevelInfo, module: moduleSensor, format: "temperature %.2f C, humidity %.1f %%", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgDouble(d.celsius), format.ArgDouble(35 + 30*d.random.Float64())}
		}},
		{weight: 4, level: format.LevelWarning, module: moduleSensor, format: "temperature %.2f C, alarm outside %d to %d C", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgDouble(d.celsius), format.ArgI32(-20), format.ArgI32(15)}
		}},
		{weight: 15, level: format.LevelDebug, module: moduleRadio, format: "sent %u bytes on channel %c, rssi %d dBm", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgU32(1 + d.random.Uint32N(244)), format.ArgChar("ABCD"[d.random.IntN(4)]), format.ArgI32(-40 - d.random.Int32N(60))}
		}},
		{weight: 5, level: format.LevelWarning, module: moduleRadio, format: "no answer from %s after %u tries", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("gateway"), format.ArgU32(2 + d.random.Uint32N(6))}
		}},
		{weight: 3, level: format.LevelError, module: moduleRadio, format: "crc 0x%04x, expected 0x%04x", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgU32(d.random.Uint32N(1 << 16)), format.ArgU32(d.random.Uint32N(1 << 16))}
		}},
		// The agent drops a string that is too long for its buffer.
		{weight: 2, level: format.LevelDebug, module: moduleRadio, format: "beacon %s", args: func(*Device) []format.Arg {
			return []format.Arg{format.ArgDropped()}
		}},
		{weight: 10, level: format.LevelInfo, module: moduleStorage, format: "flushed %u records in %llu us", args: func(d *Device) []format.Arg {
			d.records += d.random.Uint32N(900)
			return []format.Arg{format.ArgU32(d.records), format.ArgU64(1000 + d.random.Uint64N(1e6))}
		}},
		{weight: 3, level: format.LevelError, module: moduleStorage, format: "write to %p failed: %s (%d)", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgPointer(0x0807_0000 + 256*d.random.Uint32N(256)), format.ArgString("timed out"), format.ArgI32(-116)}
		}},
		{weight: 5, level: format.LevelDebug, module: moduleMain, format: "clock drift %lld ns", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgI64(d.random.Int64N(8e9) - 4e9)}
		}},
		{weight: 1, level: format.LevelCritical, module: always, format: "ASSERT FAIL: %s:%d", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("storage.c"), format.ArgI32(10 + d.random.Int32N(700))}
		}},
		{weight: 6, level: format.LevelMetric, module: always, format: "metric_%s=%.15g", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("temperature_c"), format.ArgDouble(d.celsius)}
		}},
		{weight: 4, level: format.LevelMetric, module: always, format: "metric_%s=%d", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("battery_mv"), format.ArgI32(d.millivolts)}
		}},
		{weight: 4, level: format.LevelMetric, module: always, format: "metric_%s=%u", args: func(d *Device) []format.Arg {
			return []format.Arg{format.ArgString("records_total"), format.ArgU32(d.records)}
		}},
		{weight: 3, level: format.LevelMetric, module: always, format: "metric_heartbeat=1", args: func(*Device) []format.Arg {
			return nil
		}},
	}
}
