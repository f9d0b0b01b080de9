package guard

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReaderPassesGoodPackets(t *testing.T) {
	stream := append([]byte{0x20, 3, 0, 0, 0, 0xD0, 0, 0x30, 0x85, 0x01}, make([]byte, 133)...)
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"half": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		got, err := io.ReadAll(New(r, 133))
		if err != nil || !bytes.Equal(got, stream) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(stream))
		}
	}
}

func TestReaderRefusesHostilePackets(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream []byte
		want   string
	}{
		{"4 GiB", []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x0f}, "more than 4 bytes"},
		{"endless length", bytes.Repeat([]byte{0xff}, 100), "more than 4 bytes"},
		{"over the limit", []byte{0x30, 0x86, 0x01}, "134 bytes, the limit is 133"},
		{"256 MiB", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, "the limit is 133"},
		{"type 0", []byte{0x00, 0x00}, "type 0"},
	} {
		g := New(bytes.NewReader(c.stream), 133)
		_, err := io.ReadAll(g)
		if !errors.Is(err, ErrHostile) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
		// The byte that completes a bad length is not passed on.
		n, err := io.Copy(io.Discard, iotest.OneByteReader(New(bytes.NewReader(c.stream), 133)))
		if int(n) >= len(c.stream) || !errors.Is(err, ErrHostile) {
			t.Errorf("%s: got %d of %d bytes passed on, %v, want fewer and %v", c.name, n, len(c.stream), err, ErrHostile)
		}
		if _, again := g.Read(make([]byte, 1)); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: second read: got %v, want %v again", c.name, again, err)
		}
	}
}

func TestReaderInspectsChosenPacketsUntilOneFails(t *testing.T) {
	stream := []byte{0x82, 3, 1, 2, 3, 0x30, 1, 9, 0x82, 1, 7}
	var seen [][]byte
	g := New(bytes.NewReader(stream), 10)
	g.Inspect(1<<8, func(first byte, body []byte) error {
		seen = append(seen, append([]byte{first}, body...))
		if len(body) < 2 {
			return errors.New("too short")
		}
		return nil
	})
	got, err := io.ReadAll(g)
	if !errors.Is(err, ErrHostile) || !bytes.HasPrefix(stream, got) {
		t.Errorf("got % x, %v, want a beginning of % x and %v", got, err, stream, ErrHostile)
	}
	if len(seen) != 2 || !bytes.Equal(seen[0], []byte{0x82, 1, 2, 3}) {
		t.Errorf("inspected: got % x, want two packets, the first 82 01 02 03", seen)
	}
}

func TestReaderTakesChosenPacketsOutOfTheStream(t *testing.T) {
	long := append([]byte{0x40, 6}, make([]byte, 6)...)
	var stream []byte
	for _, p := range [][]byte{{0x40, 2, 0, 1}, {0xD0, 0}, {0x40, 3, 0, 2, 0x97}, {0x40, 2, 0, 3}, long, {0x40, 2, 9, 9}, {0x30, 2, 0x40, 2}, {0x40, 2, 0, 4}} {
		stream = append(stream, p...)
	}
	want := append(append([]byte{0xD0, 0}, long...), 0x40, 2, 9, 9, 0x30, 2, 0x40, 2)
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream))} {
		var taken []string
		g := New(r, 100)
		g.Take(0x40, func(b []byte) bool {
			if b[0] == 9 {
				return false
			}
			taken = append(taken, string(b))
			return true
		})
		got, err := io.ReadAll(g)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: passed on % x, %v; want % x", name, got, err, want)
		}
		if len(taken) != 4 || taken[1] != "\x00\x02\x97" {
			t.Errorf("%s: took %q, want len(taken) 4 and taken[1] \"\\x00\\x02\\x97\"", name, taken)
		}
	}

	// A packet that is cut off is passed on, as far as it goes.
	g := New(bytes.NewReader([]byte{0x40, 2, 0}), 100)
	g.Take(0x40, func(b []byte) bool { t.Errorf("took % x, want no half packet", b); return true })
	if got, err := io.ReadAll(g); err != nil || len(got) != 3 {
		t.Errorf("got % x, %v, want the three bytes", got, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0x20, 3, 0, 0, 0}, 5)
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x0f}, 1)
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x00, 0xD0, 0x00}, 3)
	f.Fuzz(func(t *testing.T, b []byte, chunk int) {
		const limit = 200
		g := New(bytes.NewReader(b), limit)
		buf := make([]byte, 1+(chunk&0x3f))
		var got []byte
		for {
			n, err := g.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.HasPrefix(b, got) {
			t.Fatalf("got % x, want a beginning of % x", got, b)
		}
	})
}
