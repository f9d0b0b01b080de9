package wire

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

const application = "ulogkit" // in the section header

// tapFile writes synthetic packets to a pcapng file.
type tapFile struct {
	w   *pcapgo.NgWriter
	buf gopacket.SerializeBuffer
}

func newTapFile(w io.Writer) (*tapFile, error) {
	ng, err := pcapgo.NewNgWriterInterface(w,
		pcapgo.NgInterface{
			Name: "tap", LinkType: layers.LinkTypeEthernet, SnapLength: maxPacket,
			Description: "plain text of MQTT connections; headers are made up, the server's port is always 1883",
		},
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: application}})
	if err != nil {
		return nil, err
	}
	if err := ng.Flush(); err != nil {
		return nil, err
	}
	return &tapFile{w: ng, buf: gopacket.NewSerializeBuffer()}, nil
}

// IsTap reports whether a file that begins with b is one that a Tap wrote.
func IsTap(b []byte) bool {
	ng, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
	return err == nil && ng.SectionInfo().Application == application
}

// The hardware addresses are of the locally administered kind.
var tapMAC = map[bool]net.HardwareAddr{
	true:  {0x02, 0, 0, 0, 0, 1}, // client
	false: {0x02, 0, 0, 0, 0, 2}, // server
}

// write writes one packet.
func (f *tapFile) write(now time.Time, src, dst netip.AddrPort, fromClient bool, seq, ack uint32, flags tcpFlags, b []byte) error {
	ethernet := layers.Ethernet{SrcMAC: tapMAC[fromClient], DstMAC: tapMAC[!fromClient], EthernetType: layers.EthernetTypeIPv4}
	tcp := layers.TCP{
		SrcPort: layers.TCPPort(src.Port()), DstPort: layers.TCPPort(dst.Port()),
		Seq: seq, Ack: ack, SYN: flags.syn, ACK: flags.ack, PSH: flags.psh, FIN: flags.fin, RST: flags.rst, Window: 65535,
	}
	if !flags.ack {
		tcp.Ack = 0
	}

	var ip interface {
		gopacket.SerializableLayer
		gopacket.NetworkLayer
	}
	if src.Addr().Is4() {
		ip = &layers.IPv4{
			Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, Flags: layers.IPv4DontFragment,
			SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice(),
		}
	} else {
		ethernet.EthernetType = layers.EthernetTypeIPv6
		ip = &layers.IPv6{
			Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
			SrcIP: src.Addr().AsSlice(), DstIP: dst.Addr().AsSlice(),
		}
	}

	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		return err
	}
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(f.buf, opts, &ethernet, ip, &tcp, gopacket.Payload(b)); err != nil {
		return err
	}

	packet := f.buf.Bytes()
	info := gopacket.CaptureInfo{Timestamp: now, CaptureLength: len(packet), Length: len(packet)}
	if err := f.w.WritePacket(info, packet); err != nil {
		return err
	}
	return f.w.Flush()
}
