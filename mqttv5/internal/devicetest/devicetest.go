// Package devicetest has what devices send, for the tests of mqttv5's packages.
package devicetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// Info returns the nth device.
func Info(n int) device.Info {
	return device.Info{
		ApplicationID: 42, DeviceSerial: fmt.Sprintf("SN%05d", n), DeviceType: "board",
		GitVersion: "1.2.3", GitHash: "0123456789abcdef0123456789abcdef01234567",
	}
}

// Log returns a valid log of about size bytes whose content follows from seed.
func Log(t testing.TB, seed uint64, size int) []byte {
	t.Helper()
	b, err := BuildLog(seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// BuildLog is Log for one who has no test.
func BuildLog(seed uint64, size int) ([]byte, error) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return nil, err
	}
	b.TickRateHz, b.Tick = 32768, uint32(seed)
	for first := true; first || b.Len() < size-64; first = false {
		text := strings.Repeat(string(rune('a'+rnd.IntN(26))), min(max(size-b.Len()-32, 1), 200))
		err := b.Add(&format.Record{
			TickDelta: rnd.Uint32N(1000), Level: format.LevelInfo, Module: 3, FmtAddr: uint32(seed),
			Args: []format.Arg{format.ArgU32(rnd.Uint32()), format.ArgString(text)},
		})
		if err != nil {
			return nil, err
		}
	}
	return b.AppendTo(nil)
}
