// Package sample plays the devices that a test, a demonstration or a load
// generator needs: [NewDevice] starts one, [Device.Log] returns what it would
// report next and [Device.CoreDump] what it would leave behind when it crashed.
//
// The same version, seed and calls give the same bytes on every machine. Logs
// hold what firmware says in real life: a boot banner, measurements, trouble of
// every level, metrics, and in the banner every type of argument.
package sample

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ulogkit/ulogkit/format"
)

// TickRateHz is the rate of the devices' clock in ticks a second, the usual
// watch crystal.
const TickRateHz = 32768

// bootEpochUs is when the devices boot: 2024-11-28 21:23:20 UTC, in microseconds
// since 1970.
const bootEpochUs = 1_732_829_000_000_000

// Device is one simulated device between two boots. Make one with NewDevice; it
// is not safe for concurrent use.
type Device struct {
	version  uint8
	random   *rand.Rand
	booted   int    // statements of the boot banner already said
	sequence uint16 // of the next frame
	tick     uint32 // now
	framed   uint32 // tick of the last recorded frame

	celsius    float64
	millivolts int32
	records    uint32
}

// Versions are the header versions that a device can write, in rising order.
func Versions() (out []uint8) {
	for version := range math.MaxUint8 + 1 {
		if _, err := format.NewLogBuilder(uint8(version)); err == nil {
			out = append(out, uint8(version))
		}
	}
	return out
}

// NewDevice boots a device whose agent writes logs with the header version.
func NewDevice(version uint8, seed uint64) (*Device, error) {
	if _, err := format.NewLogBuilder(version); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 0x756c6f67))
	return &Device{
		version:    version,
		random:     random,
		celsius:    15 + 10*random.Float64(),
		millivolts: 3600 + random.Int32N(600),
	}, nil
}

// Log returns the device's next report, with a session token of 0, of as many
// frames as asked for. The device records only what is of the level or above
// it; metrics are above all others. The error unwraps to [format.ErrTooLong]
// when the frames do not fit into one log.
func (d *Device) Log(frames int, lowest format.Level) ([]byte, error) {
	if lowest > format.LevelMetric {
		return nil, fmt.Errorf("level %d is not one that a device logs; the highest is %d, %v", lowest, format.LevelMetric, format.LevelMetric)
	}

	b, err := format.NewLogBuilder(d.version)
	if err != nil {
		return nil, err
	}

	for b.NumFrames() < frames {
		said := d.next()
		if said.level < lowest {
			continue
		}
		err := b.Add(&format.Record{
			Level: said.level, Module: said.module, FmtAddr: said.addr,
			Sequence: d.sequence, TickDelta: d.tick - d.framed, Args: said.args(d),
		})
		if errors.Is(err, format.ErrTooLong) {
			return nil, fmt.Errorf("%d frames do not fit into the 65,535 data bytes of one log, the first %d do: %w", frames, b.NumFrames(), err)
		}
		if err != nil {
			return nil, err
		}
		d.sequence++
		d.framed = d.tick
	}

	d.tick += 1 + d.random.Uint32N(TickRateHz/16)
	b.Tick, b.TickRateHz = d.tick, TickRateHz
	b.EpochTimeUs = bootEpochUs + d.microseconds()
	return b.AppendTo(nil)
}

// next lets time pass until the firmware says something.
func (d *Device) next() *statement {
	firmware := linked()
	if d.booted < len(firmware.boot) {
		d.tick += 1 + d.random.Uint32N(TickRateHz/128)
		d.booted++
		return &firmware.boot[d.booted-1]
	}
	d.tick += 1 + d.random.Uint32N(2*TickRateHz)
	d.celsius += d.random.Float64() - 0.5
	d.millivolts -= d.random.Int32N(2)
	at := d.random.IntN(firmware.weight)
	for i := range firmware.loop {
		if at -= firmware.loop[i].weight; at < 0 {
			return &firmware.loop[i]
		}
	}
	return &firmware.loop[0]
}

// microseconds returns the time since boot.
func (d *Device) microseconds() uint64 { return uint64(d.tick) * 1_000_000 / TickRateHz }
