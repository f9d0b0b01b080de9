package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/zstd"
)

// pcapWith writes a pcap file by hand: any magic number, version and order.
func pcapWith(order binary.AppendByteOrder, magic uint32, minor uint16, record func(p scripted) []byte, packets []scripted) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(order.AppendUint16(b, 2), minor)
	b = append(b, make([]byte, 12)...)
	b = order.AppendUint32(b, linkRaw)
	for _, p := range packets {
		b = append(append(b, record(p)...), p.data...)
	}
	return b
}

// Every kind of pcap file that libpcap reads is read, with its times.
//
// Cases capture/pcap-cap-gt-len and pcap-len0.
func TestEveryKindOfPcapIsRead(t *testing.T) {
	packets := wholeScript(t, Version5, logVectors(t)[0]).packets
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		head := func(unit time.Duration, values ...uint32) func(p scripted) []byte {
			return func(p scripted) (b []byte) {
				b = order.AppendUint32(b, uint32(p.time.Unix()))
				b = order.AppendUint32(b, uint32(time.Duration(p.time.Nanosecond())/unit))
				for _, v := range values {
					n := map[uint32]uint32{1: uint32(len(p.data)), 2: 0, 3: 60, 4: 0xffffffff, 5: 7, 6: uint32(len(p.data)) + 100}[v]
					b = order.AppendUint32(b, n)
				}
				return b
			}
		}

		for name, file := range map[string][]byte{
			"2.4":                  pcapWith(order, 0xa1b2c3d4, 4, head(time.Microsecond, 1, 1), packets),
			"nanoseconds":          pcapWith(order, 0xa1b23c4d, 4, head(time.Nanosecond, 1, 1), packets),
			"2.3":                  pcapWith(order, 0xa1b2c3d4, 3, head(time.Microsecond, 1, 6), packets),
			"2.3 swapped":          pcapWith(order, 0xa1b2c3d4, 3, head(time.Microsecond, 6, 1), packets),
			"2.2 always swapped":   pcapWith(order, 0xa1b2c3d4, 2, head(time.Microsecond, 6, 1), packets),
			"longer than its wire": pcapWith(order, 0xa1b2c3d4, 4, head(time.Microsecond, 1, 3), packets),
			"wire of 0":            pcapWith(order, 0xa1b2c3d4, 4, head(time.Microsecond, 1, 2), packets),
			"modified":             pcapWith(order, 0xa1b2cd34, 4, head(time.Microsecond, 1, 1, 5, 5), packets),
		} {
			messages, stats, err := read(t, bytes.NewReader(file), CaptureConfig{})
			if err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() || !messages[0].Time.Equal(packets[3].time) {
				t.Errorf("%v, %s: got %v, %+v, %v, want %v without a loss, the first at %v",
					order, name, kinds(messages), stats, err, wholeTalk, packets[3].time)
			}
		}
	}
}

// Every unit of time that a pcapng file can have.
func TestEveryTimeUnitIsRead(t *testing.T) {
	at := time.Date(2026, 11, 29, 1, 2, 3, 456789012, time.UTC)
	seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond())

	for _, test := range []struct {
		unit   timeUnit
		units  uint64
		offset int64
		want   time.Time
	}{
		{0, seconds, 0, at.Truncate(time.Second)},
		{3, seconds*1000 + nanos/1e6, 0, at.Truncate(time.Millisecond)},
		{6, seconds*1e6 + nanos/1e3, 0, at.Truncate(time.Microsecond)},
		{9, seconds*1e9 + nanos, 0, at},
		{9, nanos, int64(seconds), at},
		{9, (seconds+10)*1e9 + nanos, -10, at},
		{10, seconds*1e10 + nanos*10, 0, at},
		{12, 456_789_012_345, int64(seconds), at},
		{19, 4_567_890_123_456_789_012, int64(seconds), at},
		{20, 14_567_890_123_456_789_012, int64(seconds), time.Unix(at.Unix(), 145_678_901).UTC()},
		{28, 1 << 63, 0, time.Unix(0, 0).UTC()},
		{127, 1 << 63, 0, time.Unix(0, 0).UTC()},
		{0x80, seconds, 0, at.Truncate(time.Second)},
		{0x80 | 10, seconds<<10 | 512, 0, at.Truncate(time.Second).Add(time.Second / 2)},
		{0x80 | 32, seconds<<32 | 1<<31, 0, at.Truncate(time.Second).Add(time.Second / 2)},
		{0x80 | 63, 1 << 62, int64(seconds), at.Truncate(time.Second).Add(time.Second / 2)},
		{0x80 | 64, 1 << 63, int64(seconds), at.Truncate(time.Second).Add(time.Second / 2)},
		{0x80 | 127, 1 << 63, 7, time.Unix(7, 0).UTC()},
		{0, 1 << 63, 0, time.Time{}},
		{6, 0, 1 << 62, time.Time{}},
		{6, 0, -1 << 63, time.Time{}},
	} {
		if got := test.unit.time(test.units, test.offset); !got.Equal(test.want) {
			t.Errorf("unit %#x, %d units, offset %d: got %v, want %v", byte(test.unit), test.units, test.offset, got, test.want)
		}
		var b []byte
		b = slices.Concat(sectionBlock, ifaceWith(option(9, 1, string([]byte{byte(test.unit)})), option(14, 8, string(binary.LittleEndian.AppendUint64(nil, uint64(test.offset))))))
		b = append(b, block(blockEnhanced, append(le32(nil, 0, uint32(test.units>>32), uint32(test.units), 4, 4), 1, 2, 3, 4))...)
		f, err := openCapture(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.next()
		if y := test.want.Year(); err != nil || !p.time.Equal(test.want) && y > 0 && y < 10000 {
			t.Errorf("unit %#x: got %v, %v, want %v", byte(test.unit), p.time, err, test.want)
		}
	}
}

// A unit or an offset of times that has not its length is taken as not given, which is
// told; the one that is good counts, and the packets of other interfaces are no guess.
func TestBadTimeOptionsAreTold(t *testing.T) {
	ip := tcp4(t, []byte("\xc0\x00"))
	packet := func(iface, time uint32) []byte {
		return block(blockEnhanced, append(le32(nil, iface, 0, time, uint32(len(ip)), uint32(len(ip))), ip...))
	}

	for _, test := range []struct {
		options [][]byte
		want    time.Time
		guessed int64
	}{
		{nil, time.Unix(2, 0), 0},
		{[][]byte{option(9, 1, "\x03")}, time.Unix(2000, 0), 0},
		{[][]byte{option(9, 0, "")}, time.Unix(2, 0), 2},
		{[][]byte{option(9, 4, "\x03\x00\x00\x00")}, time.Unix(2, 0), 2},
		{[][]byte{option(14, 4, "\x07\x00\x00\x00")}, time.Unix(2, 0), 2},
		{[][]byte{option(9, 4, "\x03\x00\x00\x00"), option(14, 8, "\x07\x00\x00\x00\x00\x00\x00\x00")}, time.Unix(9, 0), 2},
		{[][]byte{option(14, 9, "\x07\x00\x00\x00\x00\x00\x00\x00\x00"), option(9, 1, "\x03")}, time.Unix(2000, 0), 2},
	} {
		file := slices.Concat(sectionBlock, ifaceWith(test.options...), ifaceBlock, packet(1, 5), packet(0, 1), packet(0, 2_000_000))
		_, stats, err := read(t, bytes.NewReader(file), CaptureConfig{})
		if err != nil || stats.Packets != 3 || stats.GuessedTimes != test.guessed || !stats.Last.Equal(test.want) {
			t.Errorf("options %q: got %d packets, %d guessed, the last at %v, %v; want 3, %d, %v", test.options, stats.Packets, stats.GuessedTimes, stats.Last, err, test.guessed, test.want)
		}
	}
}

// What is packed is read as what is in it, whatever it is called.
func TestPackedFilesAreReadAsWhatIsInThem(t *testing.T) {
	packets := wholeScript(t, Version5, logVectors(t)[0]).packets
	plain := pcap(t, layers.LinkTypeEthernet, packets)
	gz := func(level int, b []byte) []byte {
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, level)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}

	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zst := encoder.EncodeAll(plain, nil)
	half := len(plain) / 2
	for name, file := range map[string][]byte{
		"gzip": gz(9, plain), "gzip stored": gz(0, plain), "gzip in two members": append(gz(9, plain[:half]), gz(9, plain[half:])...),
		"zstd": zst, "zstd in two frames": append(encoder.EncodeAll(plain[:half], nil), encoder.EncodeAll(plain[half:], nil)...),
		"zstd behind a frame to skip": append([]byte("\x5f\x2a\x4d\x18\x05\x00\x00\x00hello"), zst...),
		"gzip of pcapng":              gz(9, pcapng(t, binary.BigEndian, linkRaw, packets)),
	} {
		for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file))} {
			messages, stats, err := read(t, r, CaptureConfig{})
			if err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
				t.Errorf("%s: got %v, %+v, %v, want %v without a loss", name, kinds(messages), stats, err, wholeTalk)
			}
		}
		// Cut off or damaged, it is read as far as it goes.
		for _, n := range []int{1, 3, 17, len(file) / 2, len(file) - 1} {
			if _, _, err := read(t, bytes.NewReader(file[:n]), CaptureConfig{}); err == nil || !errors.Is(err, ErrCapture) {
				t.Errorf("%s, cut to %d bytes: got error %v, want %v", name, n, err, ErrCapture)
			}
		}
	}

	if _, err := NewCapture(bytes.NewReader(zst[:len(zst)-9]), CaptureConfig{}); !errors.Is(err, ErrCapture) || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("zstd, cut in its first block: got error %v, want %v that says \"cut off\"", err, ErrCapture)
	}
	padded := slices.Concat(gz(9, plain[:half]), make([]byte, 600), gz(9, nil), gz(9, plain[half:]), make([]byte, 512))
	if messages, stats, err := read(t, bytes.NewReader(padded), CaptureConfig{}); err != nil || !slices.Equal(kinds(messages), wholeTalk) || !stats.Lossless() {
		t.Errorf("gzip with zeros behind its members: got %v, %+v, %v, want %v without a loss", kinds(messages), stats, err, wholeTalk)
	}

	if _, _, err := read(t, bytes.NewReader(append(padded, "more"...)), CaptureConfig{}); !errors.Is(err, ErrCapture) {
		t.Errorf("gzip with something else behind it: got error %v, want %v", err, ErrCapture)
	}
	messages, _, err := read(t, bytes.NewReader(gz(0, plain)[:len(plain)-400]), CaptureConfig{})
	if len(messages) < 2 || err == nil || !strings.Contains(err.Error(), "(unpacked)") {
		t.Errorf("cut: got %v, error %v, want at least 2 messages and one that says \"(unpacked)\"", kinds(messages), err)
	}

	for magic, want := range map[string]string{"\x04\x22\x4d\x18": "lz4 -d", "\xfd7zXZ": "unxz"} {
		if _, err := NewCapture(strings.NewReader(magic+"more"), CaptureConfig{}); !errors.Is(err, ErrCapture) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", magic, err, want)
		}
	}
}

// An error of the reader is told as it is, and says nothing about the file.
func TestErrorOfTheReaderIsToldAsItIs(t *testing.T) {
	failure := errors.New("no cable")
	plain := pcap(t, layers.LinkTypeEthernet, wholeScript(t, Version5, logVectors(t)[0]).packets)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range [][]byte{plain, packed.Bytes()} {
		for _, n := range []int{0, 2, 30, 200} {
			_, _, err := read(t, io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(failure)), CaptureConfig{})
			if !errors.Is(err, failure) || errors.Is(err, ErrCapture) {
				t.Errorf("after %d bytes: got error %v, want %v, and not %v", n, err, failure, ErrCapture)
			}
		}
	}
}

// Several files are one capture, by time, in whatever order they are named, and a
// bad one does not stop the others.
func TestSeveralFilesAreOneCapture(t *testing.T) {
	s := wholeScript(t, Version5, logVectors(t)[0])
	for id := range uint16(6) {
		s.upload(Version5, 20+id, 200, logVectors(t)[0])
	}
	dir := t.TempDir()
	opened, most := 0, 0
	file := func(name string, b []byte) File {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return File{Name: filepath.Base(name), Open: func() (io.ReadCloser, error) {
			f, err := os.Open(name)
			if opened++; opened > most {
				most = opened
			}
			return &countedCloser{f, &opened}, err
		}}
	}

	parts := func(n int) (files []File) {
		i := 0
		for p := range slices.Chunk(s.packets, (len(s.packets)+n-1)/n) {
			files = append(files, file(fmt.Sprintf("%d-%d", n, i), pcap(t, layers.LinkTypeEthernet, p)))
			i++
		}
		return files
	}

	var sides [2][]scripted
	for _, p := range s.packets {
		sides[p.data[15]-1] = append(sides[p.data[15]-1], p)
	}
	want := kinds(mustRead(t, s.packets))
	rotated := parts(7)
	slices.Reverse(rotated)
	empty, bad := file("empty", pcap(t, layers.LinkTypeEthernet, nil)), file("bad", []byte("no capture"))
	cut := parts(3)
	whole := pcap(t, layers.LinkTypeEthernet, s.packets[len(s.packets)-2:])
	cut = append(cut, file("cut", append(whole[:len(whole):len(whole)], 1, 2, 3)))
	for name, test := range map[string]struct {
		files []File
		most  int
		err   string
	}{
		"rotated":       {rotated, 2, ""},
		"one":           {parts(1), 1, ""},
		"of two hosts":  {[]File{file("b", pcapng(t, binary.LittleEndian, linkRaw, sides[1])), file("a", pcap(t, layers.LinkTypeEthernet, sides[0]))}, 2, ""},
		"empty":         {append(parts(3), empty), 2, ""},
		"one is bad":    {append(parts(3), bad), 2, "bad: bad capture file: at offset 0: neither pcap nor pcapng"},
		"one cut short": {cut, 3, "cut: bad capture file: at offset"},
	} {
		opened, most = 0, 0
		c, err := NewCaptureFiles(test.files, CaptureConfig{})
		if err != nil {
			t.Fatalf("%s: got error %v before anything was read, want none", name, err)
		}
		var got []Kind
		for m := range c.All() {
			got = append(got, m.Kind)
		}
		stats := c.Stats()
		if !slices.Equal(got, want) || stats.Connections != 1 || opened != 0 || most > test.most {
			t.Errorf("%s: got %v, want %v; %d connections, %d files left open, at most %d at once", name, got, want, stats.Connections, opened, most)
		}
		if err := c.Err(); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, want %q", name, err, test.err)
		}
	}

	if _, err := NewCaptureFiles([]File{bad}, CaptureConfig{}); !errors.Is(err, ErrCapture) {
		t.Errorf("got %v, want %v", err, ErrCapture)
	}
}

type countedCloser struct {
	*os.File
	n *int
}

func (c *countedCloser) Close() error {
	*c.n--
	return c.File.Close()
}

// What gopacket reads packets from is a capture too.
func TestGopacketSourceIsACapture(t *testing.T) {
	file := pcap(t, layers.LinkTypeEthernet, wholeScript(t, Version5, logVectors(t)[0]).packets)
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var source gopacket.PacketDataSource = r
	c := NewCaptureSource(source, r.LinkType(), CaptureConfig{})
	var got []Kind
	for m := range c.All() {
		got = append(got, m.Kind)
	}
	if !slices.Equal(got, wholeTalk) || c.Err() != nil {
		t.Errorf("got %v, error %v, want %v and none", got, c.Err(), wholeTalk)
	}
}
