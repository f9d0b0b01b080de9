// The program walks logs of header version 9, which only the spec of the module
// around it knows.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"scratch/format"
)

const frames = 12

// build makes a log whose records have numbers from first on.
func build(version uint8, first uint16) []byte {
	b, err := format.NewLogBuilder(version)
	must(err)
	b.SessionToken, b.Tick, b.TickRateHz, b.EpochTimeUs = 0x01020304, 70_000, 32_768, 1_732_829_000_000_000
	for i := range uint16(frames) {
		must(b.Add(&format.Record{
			Level: format.LevelInfo, Module: 3, FmtAddr: 0x8000, Sequence: first + i, TickDelta: 100 + uint32(i),
			Args: []format.Arg{format.ArgU32(uint32(i)), format.ArgString("on")},
		}))
	}
	log, err := b.AppendTo(nil)
	must(err)
	if b.Len() != len(log) {
		fail("got %d bytes, the builder says %d", len(log), b.Len())
	}
	return log
}

func main() {
	log := build(9, 500)

	// The bytes lie where the spec says.
	if log[0] != 9 || binary.LittleEndian.Uint32(log[1:]) != 0x01020304 || binary.LittleEndian.Uint64(log[6:]) != 1_732_829_000_000_000 ||
		binary.LittleEndian.Uint32(log[14:]) != 32_768 || int(binary.LittleEndian.Uint16(log[20:])) != len(log)-26 || binary.LittleEndian.Uint32(log[22:]) != 70_000 {
		fail("got header % x", log[:26])
	}
	if binary.LittleEndian.Uint32(log[26:]) != 100 || binary.LittleEndian.Uint16(log[30:]) != 500 {
		fail("got frame header % x", log[26:34])
	}

	must(format.CheckLog(log))
	l, rest, err := format.ParseLog(append(bytes.Clone(log), 1, 2))
	must(err)
	tick, rate, ok := l.Clock()
	us, hasEpoch := l.Epoch()
	_, hasSequence := l.Sequence()
	if tick != 70_000 || rate != 32_768 || !ok || us != 1_732_829_000_000_000 || !hasEpoch || hasSequence || len(rest) != 2 || l.Version() != 9 {
		fail("got clock %d %d %v, epoch %d %v, sequence %v, %d bytes after version %d", tick, rate, ok, us, hasEpoch, hasSequence, len(rest), l.Version())
	}
	if !l.FramesNumbered() || !l.FramesTimed() || l.LenHeader() != 26 || l.LenFrameHeader() != 8 {
		fail("frames numbered %v, timed %v, headers of %d and %d bytes", l.FramesNumbered(), l.FramesTimed(), l.LenHeader(), l.LenFrameHeader())
	}
	walk, n := l.Frames(), 0
	for walk.Next() {
		f := walk.Frame()
		if f.Sequence != uint16(500+n) || f.TickDelta != uint32(100+n) {
			fail("frame %d: got number %d, ticks %d", n, f.Sequence, f.TickDelta)
		}
		n++
	}
	if n != frames || walk.Err() != nil {
		fail("walked %d frames, %v", n, walk.Err())
	}

	l.SetSessionToken(7)
	if !l.SetEpoch(9) || l.Verify() != nil || l.SessionToken() != 7 {
		fail("a patched header is refused: %v", l.Verify())
	}
	bad := bytes.Clone(log)
	bad[len(bad)-1] ^= 1
	if err := format.CheckLog(bad); !errors.Is(err, format.ErrChecksum) {
		fail("got %v of a wrong checksum", err)
	}
	if err := format.CheckLog(log[:20]); !errors.Is(err, format.ErrShort) {
		fail("got %v of a cut header", err)
	}

	// A stream of all versions, then one with damage: junk before a log, and a log
	// whose header is lost, of which the frames are found by what they look like.
	old := append(build(1, 0), build(4, 0)...)
	if verified, all := decode(append(append(bytes.Clone(log), old...), log...)); verified != 4*frames || all != verified {
		fail("got %d frames, %d of them verified, want %d", all, verified, 4*frames)
	}
	damaged := append(append(bytes.Clone(log), "junk"...), log...)
	headless := bytes.Clone(log)
	copy(headless, bytes.Repeat([]byte{0xff}, 26))
	damaged = append(append(damaged, headless...), log...)
	if verified, all := decode(damaged); verified != 3*frames || all != 4*frames {
		fail("got %d frames, %d of them verified, want %d and %d", all, verified, 4*frames, 3*frames)
	}
	fmt.Println("walked version 9")
}

// decode counts the frames of a stream that are those of build.
func decode(stream []byte) (verified, all int) {
	var d format.Decoder
	count := func(e format.Event) {
		if e.Kind == format.EventLog {
			if tick, _, ok := e.Header().Clock(); e.Version != 1 && (!ok || tick != 70_000) {
				fail("log at %d: got tick %d, %v", e.Offset, tick, ok)
			}
		}
		if e.Kind == format.EventFrame {
			all++
			if e.Verified {
				verified++
			}
		}
	}
	for e := range d.Feed(stream) {
		count(e)
	}
	for e := range d.Close() {
		count(e)
	}
	return verified, all
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(message string, values ...any) {
	fmt.Printf(message+"\n", values...)
	os.Exit(1)
}
