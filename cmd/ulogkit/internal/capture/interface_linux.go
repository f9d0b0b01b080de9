package capture

import (
	"context"
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// maxLive is how many bytes of a packet are captured: a segment that a network
// card has yet to cut, with its headers.
const maxLive = 1 << 18

// Interface is a network interface whose packets are read as they pass.
type Interface struct {
	ctx    context.Context
	idle   func() error
	handle *pcapgo.EthernetHandle
	got    chan live
}

type live struct {
	data []byte
	info gopacket.CaptureInfo
	err  error
}

// OpenInterface begins to capture. Before it waits for a packet it calls idle; it
// ends when the context is done.
func OpenInterface(ctx context.Context, name string, idle func() error) (*Interface, layers.LinkType, error) {
	h, err := pcapgo.NewEthernetHandle(name)
	if err != nil {
		return nil, 0, fmt.Errorf("cannot capture on %s, which takes the right CAP_NET_RAW: %w", name, err)
	}
	if err := h.SetCaptureLength(maxLive); err != nil {
		return nil, 0, err
	}
	i := &Interface{ctx: ctx, idle: idle, handle: h, got: make(chan live, 256)}
	go func() {
		for ctx.Err() == nil {
			var p live
			if p.data, p.info, p.err = h.ReadPacketData(); p.err != nil || len(p.data) > 0 {
				i.got <- p
			}
			if p.err != nil {
				return
			}
		}
	}()
	return i, layers.LinkTypeEthernet, nil
}

// ReadPacketData implements gopacket.PacketDataSource.
func (i *Interface) ReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	select {
	case p := <-i.got:
		return p.data, p.info, p.err
	default:
	}
	if err := i.idle(); err != nil {
		return nil, gopacket.CaptureInfo{}, err
	}
	select {
	case <-i.ctx.Done():
		return nil, gopacket.CaptureInfo{}, i.ctx.Err()
	case p := <-i.got:
		return p.data, p.info, p.err
	}
}

// Dropped returns how many packets the system could not hand over in time.
func (i *Interface) Dropped() int64 {
	stats, err := i.handle.Stats()
	if err != nil {
		return 0
	}
	return int64(stats.Drops)
}
