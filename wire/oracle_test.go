package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seenPacket is what an oracle and we must agree on.
type seenPacket struct {
	From    string // port of the sender
	Type    PacketType
	Topics  []string // of a PUBLISH, or the filters
	ID      uint16
	Reasons []byte
	Payload []byte
}

func (p seenPacket) String() string {
	return fmt.Sprintf("%v from %s, topics %q, id %d, reasons %x, payload %d bytes %.20x", p.Type, p.From, p.Topics, p.ID, p.Reasons, len(p.Payload), p.Payload)
}

// collector decodes everything that one connection carries.
type collector struct {
	ends [2]netip.AddrPort
	m    MQTT
	buf  [2][]byte
	out  *[]seenPacket
	errs *[]error
}

func (c *collector) Started(int) {}

func (c *collector) Ended(int, time.Time) {}

func (c *collector) Gap(direction int, _ time.Time, n int64) {
	*c.errs = append(*c.errs, fmt.Errorf("gap of %d bytes from %v", n, c.ends[direction]))
}

func (c *collector) Data(direction int, _ time.Time, b []byte) {
	b = append(c.buf[direction], b...)
	for {
		n, err := PacketLen(b)
		if err != nil || n > len(b) {
			break
		}
		if err := c.m.DecodeFromBytes(b[:n], ignoreTruncated{}); err != nil {
			*c.errs = append(*c.errs, err)
		}
		p := seenPacket{From: strconv.Itoa(int(c.ends[direction].Port())), Type: c.m.Type, ID: c.m.PacketID, Payload: slices.Clone(c.m.Payload)}
		if c.m.Type == PacketPublish {
			p.Topics = []string{string(c.m.Topic)}
		}
		for s := range c.m.Subscriptions() {
			p.Topics = append(p.Topics, string(s.Filter))
		}

		switch c.m.Type {
		case PacketConnack, PacketPuback, PacketPubrec, PacketPubrel, PacketPubcomp, PacketDisconnect, PacketAuth:
			p.Reasons = []byte{byte(c.m.ReasonCode)}
		case PacketSuback, PacketUnsuback:
			p.Reasons = slices.Clone(c.m.ReasonCodes)
		}

		*c.out = append(*c.out, p)
		b = b[n:]
	}

	c.buf[direction] = slices.Clone(b)
}

// decodeAll returns every MQTT packet in a capture file, as we see it.
func decodeAll(t *testing.T, file []byte) []seenPacket {
	t.Helper()
	f, err := openCapture(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var out []seenPacket
	var errs []error
	r := NewReassembler(func(src, dst netip.AddrPort) Stream {
		return &collector{ends: [2]netip.AddrPort{src, dst}, out: &out, errs: &errs}
	})
	pieces := newFragments(func(byte, int64) {}, func(int64) {})
	for {
		p, err := f.next()
		if err != nil {
			break
		}
		if s, v := dissectWith(pieces, p); v == isTCP {
			r.Add(&s)
		}
	}

	r.Close()
	for _, err := range errs {
		t.Error(err)
	}
	return out
}

// needTool skips the test where a program is missing, but not in CI.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("got no %s in CI, want it: install it", name)
		}
		t.Skipf("%s is missing", name)
	}
}

// pdml is what tshark writes.
type pdml struct {
	Packets []struct {
		Protos []pdmlField `xml:"proto"`
	} `xml:"packet"`
}

type pdmlField struct {
	Name   string      `xml:"name,attr"`
	Show   string      `xml:"show,attr"`
	Value  string      `xml:"value,attr"`
	Label  string      `xml:"showname,attr"`
	Fields []pdmlField `xml:"field"`
}

// walk calls f for every field below.
func (p *pdmlField) walk(f func(*pdmlField)) {
	for i := range p.Fields {
		f(&p.Fields[i])
		p.Fields[i].walk(f)
	}
}

// tshark returns every MQTT packet in a capture file, as tshark sees it, and
// what it finds fault with.
func tshark(t *testing.T, file []byte, args ...string) (packets []seenPacket, faults []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "capture")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-r", name, "-T", "pdml", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, args...)
	cmd := exec.Command("tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, stderr.String())
	}

	var doc pdml
	if err := xml.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}

	for number, packet := range doc.Packets {
		port := ""
		for _, proto := range packet.Protos {
			// Errors only: a reset is a warning.
			proto.walk(func(f *pdmlField) {
				if f.Name == "_ws.malformed" || f.Name == "_ws.expert.severity" && f.Show == "8388608" {
					faults = append(faults, fmt.Sprintf("packet %d: %s", number+1, f.Label))
				}
				if f.Name == "tcp.srcport" {
					port = f.Show
				}
			})
			if proto.Name == "_ws.malformed" {
				faults = append(faults, fmt.Sprintf("packet %d: malformed", number+1))
			}
			if proto.Name == "mqtt" {
				packets = append(packets, pdmlPacket(t, &proto, port))
			}
		}
	}

	return packets, faults
}

func pdmlPacket(t *testing.T, proto *pdmlField, port string) seenPacket {
	t.Helper()
	p := seenPacket{From: port}
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	raw := func(f *pdmlField) []byte {
		b, err := hex.DecodeString(f.Value)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	proto.walk(func(f *pdmlField) {
		switch f.Name {
		case "mqtt.msgtype":
			p.Type = PacketType(number(f.Show))
		case "mqtt.msgid":
			p.ID = uint16(number(f.Show))
		case "mqtt.topic":
			p.Topics = append(p.Topics, string(raw(f)))
		case "mqtt.msg":
			p.Payload = raw(f)
		case "mqtt.conack.val", "mqtt.suback.qos":
			p.Reasons = append(p.Reasons, byte(number(f.Show)))
		default:
			if strings.HasSuffix(f.Name, ".reason_code") {
				p.Reasons = append(p.Reasons, byte(number(f.Show)))
			}
		}
	})

	// A reason code that is left out is 0.
	switch p.Type {
	case PacketConnack, PacketPuback, PacketPubrec, PacketPubrel, PacketPubcomp, PacketDisconnect, PacketAuth:
		if len(p.Reasons) == 0 {
			p.Reasons = []byte{0}
		}
	}

	return p
}

// agree compares what we and tshark see in a file.
func agree(t *testing.T, file []byte, args ...string) []seenPacket {
	t.Helper()
	ours := decodeAll(t, file)
	theirs, faults := tshark(t, file, args...)
	for _, f := range faults {
		t.Errorf("tshark: %s", f)
	}
	for i := range max(len(ours), len(theirs)) {
		switch {
		case i >= len(ours):
			t.Errorf("got no packet, want %v as tshark sees it", theirs[i])
		case i >= len(theirs):
			t.Errorf("got %v, want none as tshark sees", ours[i])
		case ours[i].String() != theirs[i].String() || !bytes.Equal(ours[i].Payload, theirs[i].Payload):
			t.Errorf("packet %d:\ngot  %v\nwant %v as tshark has it", i, ours[i], theirs[i])
		}
		if t.Failed() {
			t.FailNow()
		}
	}

	if len(ours) == 0 {
		t.Fatal("got no MQTT in the file, want some")
	}

	return ours
}

// Random packets of every type, in both versions, written by our own tap: an
// independent decoder sees the same.
func TestOracleTsharkAgreesOnEveryType(t *testing.T) {
	needTool(t, "tshark")
	var file bytes.Buffer
	tap, err := NewTap(&file)
	if err != nil {
		t.Fatal(err)
	}

	types := map[[2]uint8]bool{}
	for _, version := range []uint8{Version5, Version311} {
		clientEnd, serverEnd := tcpPair(t)
		c := tap.Client(clientEnd)
		exchange(t, c, serverEnd, (&script{t: t}).packet(MQTT{Version: version, Type: PacketConnect, Connect: Connect{ClientID: []byte("oracle")}}))
		for seed := range 600 {
			m := rapid.Custom(drawMQTT).Example(seed)
			if m.Version != version || m.Type == PacketConnect {
				continue
			}
			b, err := m.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			types[[2]uint8{version, uint8(m.Type)}] = true
			switch m.Type { // who may send it
			case PacketConnack, PacketSuback, PacketUnsuback, PacketPingresp:
				exchange(t, serverEnd, c, b)
			default:
				exchange(t, c, serverEnd, b)
			}
		}

		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}

	if len(types) != 14+13 {
		t.Errorf("got %d types and versions drawn, want 27", len(types))
	}
	t.Logf("%d packets agree", len(agree(t, file.Bytes())))
}
