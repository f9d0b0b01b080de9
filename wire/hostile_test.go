package wire

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
)

var update = flag.Bool("update", false, "write testdata/hostile again")

// block returns a pcapng block; its length is right unless lies says otherwise.
func block(typ uint32, body []byte, lies ...uint32) []byte {
	body = append(slices.Clone(body), make([]byte, -len(body)&3)...)
	n := uint32(len(body) + 12)
	if len(lies) > 0 {
		n = lies[0]
	}
	b := le32(nil, typ, n)
	return le32(append(b, body...), n)
}

func le32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func be32(b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// Good pieces to build bad files from.
var (
	sectionBlock   = block(blockSection, append(le32(nil, 0x1a2b3c4d, 1), bytes.Repeat([]byte{0xff}, 8)...))
	ifaceBlock     = block(blockInterface, le32(nil, linkRaw, 0))
	pcapFileHeader = le32(nil, 0xa1b2c3d4, 4<<16|2, 0, 0, 65535, linkRaw)
)

// option returns an option of an interface; its length may lie.
func option(code, length uint16, value string) []byte {
	b := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, code), length)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func ifaceWith(options ...[]byte) []byte {
	return block(blockInterface, append(le32(nil, linkRaw, 0), bytes.Join(options, nil)...))
}

// enhanced returns a packet block.
func enhanced(iface, captured uint32, data []byte) []byte {
	return block(blockEnhanced, append(le32(nil, iface, 0, 0, captured, captured), data...))
}

// tcp4 returns the bytes of an IPv4 packet with a TCP segment in it.
func tcp4(t testing.TB, payload []byte) []byte {
	s := newScript(t, "192.0.2.1:40000", "192.0.2.2:1883")
	s.send(client, tcpFlags{ack: true, psh: true}, payload)
	return s.packets[0].data
}

// hostileFiles makes the corpus: the smallest files that show each class of
// damage or malice.
func hostileFiles(t testing.TB) map[string][]byte {
	t.Helper()
	ng := func(blocks ...[]byte) []byte { return slices.Concat(append([][]byte{sectionBlock}, blocks...)...) }
	record := func(captured, length uint32, data []byte) []byte {
		return append(le32(nil, 0, 0, captured, length), data...)
	}
	old := func(data ...[]byte) []byte { return slices.Concat(append([][]byte{pcapFileHeader}, data...)...) }
	ip := tcp4(t, []byte("\xc0\x00"))
	said := tcp4(t, publish(t, "logs/v0/C/A", 0, nil))
	link := func(typ uint32, data []byte) []byte {
		return ng(block(blockInterface, le32(nil, typ, 0)), enhanced(0, uint32(len(data)), data))
	}

	changed := func(b []byte, at int, to byte) []byte {
		b = slices.Clone(b)
		b[at] = to
		return b
	}

	conversation := func(messages ...[]byte) []byte {
		s := talk4(t)
		s.connect(Version5)
		s.say(client, 60000, messages...)
		return pcap(t, layers.LinkTypeRaw, s.packets)
	}

	return map[string][]byte{
		"empty":                    {},
		"three bytes":              {1, 2, 3},
		"text":                     []byte("these are no packets\n"),
		"gzip":                     {0x1f, 0x8b, 8, 0},
		"zeros":                    make([]byte, 64),
		"ones":                     bytes.Repeat([]byte{0xff}, 64),
		"pcap header":              pcapFileHeader,
		"pcap header cut":          pcapFileHeader[:23],
		"pcap version":             changed(pcapFileHeader, 4, 3),
		"pcap record head cut":     old(record(2, 2, nil)[:9]),
		"pcap record cut":          old(record(100, 100, ip)),
		"pcap record of 4 GiB":     old(record(0xffffffff, 0xffffffff, ip)),
		"pcap record too long":     old(record(maxPacket+1, maxPacket+1, ip)),
		"pcap record beyond wire":  old(record(uint32(len(ip)), 2, ip)),
		"pcap record of 0":         old(record(0, 0, nil), record(uint32(len(ip)), uint32(len(ip)), ip)),
		"pcap big-endian":          be32(be32(nil, 0xa1b2c3d4, 2<<16|4, 0, 0, 65535, linkRaw), 0, 0, 0, 0),
		"section cut":              sectionBlock[:20],
		"section byte order":       changed(sectionBlock, 8, 0),
		"section version":          changed(sectionBlock, 12, 2),
		"section alone":            sectionBlock,
		"section of 12":            block(blockSection, le32(nil, 0x1a2b3c4d), 12),
		"block of 0":               ng(block(blockInterface, le32(nil, linkRaw, 0), 0)),
		"block of 13":              ng(block(blockInterface, le32(nil, linkRaw, 0), 13)),
		"block of 4 GiB":           ng(block(blockInterface, le32(nil, linkRaw, 0), 0xfffffffc)),
		"block lengths differ":     ng(append(slices.Clone(ifaceBlock[:len(ifaceBlock)-4]), 24, 0, 0, 0)),
		"unknown block of 4 GiB":   ng(block(0xbad, nil, 0xfffffffc)),
		"unknown block, bad end":   ng(append(slices.Clone(block(0xbad, nil)[:8]), 9, 9, 9, 9)),
		"interface of 12":          ng(block(blockInterface, nil)),
		"interface option lies":    ng(ifaceWith(option(2, 0xfff0, "eth0"))),
		"interface filter of 0":    ng(ifaceWith(option(11, 0, "")), enhanced(0, uint32(len(ip)), ip)),
		"interface unit of 0":      ng(ifaceWith(option(9, 0, "")), enhanced(0, uint32(len(ip)), ip)),
		"interface unit 2^127":     ng(ifaceWith(option(9, 1, "\xff")), enhanced(0, uint32(len(ip)), ip)),
		"interface unit 10^64":     ng(ifaceWith(option(9, 1, "\x40")), enhanced(0, uint32(len(ip)), ip)),
		"interface offset of 4":    ng(ifaceWith(option(14, 4, "1234"))),
		"interface offset of 2^60": ng(ifaceWith(option(14, 8, "\x00\x00\x00\x00\x00\x00\x00\x10")), enhanced(0, uint32(len(said)), said)),
		"packet before interface":  ng(enhanced(0, uint32(len(ip)), ip)),
		"packet of interface 9":    ng(ifaceBlock, enhanced(9, uint32(len(ip)), ip)),
		"packet of interface 2^31": ng(ifaceBlock, enhanced(1<<31, uint32(len(ip)), ip)),
		"packet of 256 MB":         ng(block(blockInterface, le32(nil, linkRaw, 1<<28)), enhanced(0, 1<<28, nil)),
		"snap length of 256 MB":    ng(block(blockInterface, le32(nil, linkRaw, 1<<28)), enhanced(0, uint32(len(ip)), ip)),
		"packet past its block":    ng(ifaceBlock, enhanced(0, uint32(len(ip))+4, ip)),
		"packet block of 28":       ng(ifaceBlock, block(blockEnhanced, le32(nil, 0, 0, 0, 0))),
		"simple packet lies":       ng(ifaceBlock, block(blockSimple, le32(nil, 1<<20))),
		"simple packet":            ng(ifaceBlock, block(blockSimple, append(le32(nil, uint32(len(ip))), ip...))),
		"old packet":               ng(ifaceBlock, block(blockPacketOld, append(le32(nil, 0, 0, 0, uint32(len(ip)), uint32(len(ip))), ip...))),
		"second section forgets":   ng(ifaceBlock, sectionBlock, enhanced(0, uint32(len(ip)), ip)),
		"link unknown":             link(249, ip),
		"link of no packet":        link(linkRaw, nil),
		"link sll address lies":    link(linkLinuxSLL, append([]byte{0, 0, 3, 4, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, ip...)),
		"link sll2 short":          link(linkLinuxSLL2, []byte{8, 0}),
		"ip header lies":           link(linkRaw, changed(ip, 0, 0x4f)),
		"ip length 0":              link(linkRaw, changed(changed(ip, 2, 0), 3, 0)),
		"ip fragment":              link(linkRaw, changed(ip, 6, 0x20)),
		"ip in ip in ip":           link(linkRaw, slices.Concat(nested(ip, 40)...)),
		"ipv6 options lie":         link(linkRaw, append(slices.Concat([]byte{0x60, 0, 0, 0, 0, 8, 0, 64}, make([]byte, 32)), 6, 0, 1, 200, 0, 0, 0, 0)),
		"ipv6 fragment":            link(linkRaw, append(slices.Concat([]byte{0x60, 0, 0, 0, 0, 28, 44, 64}, make([]byte, 32)), append([]byte{6, 0, 0, 1, 0, 0, 0, 1}, ip[20:40]...)...)),
		"tcp header lies":          link(linkRaw, changed(ip, 32, 0xf0)),
		"tcp options lie":          link(linkRaw, changed(slices.Concat(ip[:2], []byte{0, 44}, ip[4:40], []byte{8, 200, 0, 0}), 32, 0x60)),
		"mqtt of 256 MB":           conversation([]byte("\x30\xff\xff\xff\x7f\x00\x01t\x00")),
		"mqtt endless length":      conversation([]byte("\x30\xff\xff\xff\xff\xff\xff\xff")),
		"mqtt noise":               conversation(bytes.Repeat([]byte{0x00, 0xff}, 500)),
		"mqtt pings":               conversation(bytes.Repeat([]byte{0xc0, 0x00}, 1000)),
		"mqtt almost pings":        conversation([]byte{0}, bytes.Repeat([]byte{0xc0, 0x00}, 1000), []byte{0}),
		"mqtt twice connected":     conversation([]byte("\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00")),
		"log that lies":            conversation(publish(t, "binlog/v0/C/A", 1, []byte("\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00"))),
		"core dump that lies":      conversation(publish(t, "core-dump/v0/C", 1, bytes.Repeat([]byte{0xff}, 300))),
		"boot reply with a bomb":   conversation(publish(t, "boot/v0/C/A/S", 1, []byte(`{"token":`+strings.Repeat("[", 20000)))),
		"boot reply of 1e400":      conversation(publish(t, "boot/v0/C/A/S", 1, []byte(`{"token":1e400}`))),
	}
}

// nested returns n IPv4 headers around a packet.
func nested(ip []byte, n int) [][]byte {
	out := [][]byte{ip}
	size := len(ip)
	for range n {
		size += 20
		head := slices.Clone(ip[:20])
		binary.BigEndian.PutUint16(head[2:], uint16(size))
		head[9] = 4
		out = append([][]byte{head}, out...)
	}
	return out
}

const hostileDir = "testdata/hostile"

// TestHostileFilesHaveTheirVerdicts reads the committed corpus and compares each
// verdict. With -update it writes both again.
func TestHostileFilesHaveTheirVerdicts(t *testing.T) {
	made := hostileFiles(t)
	var names []string
	for name := range made {
		names = append(names, name)
	}
	slices.Sort(names)
	var verdicts strings.Builder
	for _, name := range names {
		fmt.Fprintf(&verdicts, "%s: %s\n", name, hostileVerdict(t, name, made[name]))
	}
	fileName := func(name string) string {
		return filepath.Join(hostileDir, strings.NewReplacer(" ", "-", ",", "", "^", "-").Replace(name)+".cap")
	}
	if *update {
		if err := os.RemoveAll(hostileDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(hostileDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(fileName(name), made[name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(hostileDir, "verdicts.txt"), []byte(verdicts.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	for _, name := range names {
		b, err := os.ReadFile(fileName(name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, made[name]) {
			t.Errorf("%s: got %d bytes that are not those made here, want them equal: run with -update", name, len(b))
		}
	}

	entries, err := os.ReadDir(hostileDir)
	if err != nil || len(entries) != len(names)+1 {
		t.Errorf("got %d files in the corpus, %v, want %d and the verdicts", len(entries), err, len(names))
	}
	want, err := os.ReadFile(filepath.Join(hostileDir, "verdicts.txt"))
	if err != nil {
		t.Fatal(err)
	}

	if got := verdicts.String(); got != string(want) {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Errorf("got  %s\nwant %s", gotLines[i], wantLines[i])
			}
		}
		t.Errorf("got %d lines of verdicts, want the %d of verdicts.txt as they are", len(gotLines), len(wantLines))
	}
}

// hostileVerdict reads a file and says what came of it. Memory and time are
// bounded: a few MB that do not depend on the file, and a multiple of its size.
func hostileVerdict(t *testing.T, name string, file []byte) string {
	t.Helper()
	var messages []Message
	var stats Stats
	var err error
	most, used, elapsed := uint64(4<<20+32*len(file)), uint64(math.MaxUint64), time.Duration(0)
	for n := 0; n == 0 || n < 5 && used > most; n++ { // what others allocate meanwhile counts too
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		messages, stats, err = read(t, bytes.NewReader(file), CaptureConfig{})
		elapsed = time.Since(start)
		runtime.ReadMemStats(&after)
		used = min(used, after.TotalAlloc-before.TotalAlloc)
	}

	if used > most {
		t.Errorf("%s: got %d bytes allocated for a file of %d, want at most %d", name, used, len(file), most)
	}
	if elapsed > time.Minute {
		t.Errorf("%s: got %v for a file of %d bytes, want at most %v", name, elapsed, len(file), time.Minute)
	}

	var parts []string
	if err != nil {
		parts = append(parts, "error "+err.Error())
	}
	for _, count := range []struct {
		n    int64
		what string
	}{
		{stats.Packets, "packets"},
		{stats.GuessedTimes, "times guessed"},
		{stats.Segments, "TCP"},
		{stats.Other, "other"},
		{stats.Fragments, "fragments"},
		{stats.Damaged, "damaged"},
		{stats.UnknownLink, "unknown link"},
		{stats.Messages, "MQTT"},
		{stats.Malformed, "malformed"},
		{stats.LostBytes, "bytes lost"},
		{stats.Bad, "bad"},
	} {
		if count.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count.n, count.what))
		}
	}

	for _, m := range messages {
		if _, err := m.Time.MarshalJSON(); err != nil {
			t.Errorf("%s: got time %v, want one that JSON can hold: %v", name, m.Time, err)
		}
		part := m.Kind.String()
		if m.Err != nil {
			part += " (" + m.Err.Error() + ")"
		}
		parts = append(parts, part)
	}

	return strings.Join(parts, "; ")
}
