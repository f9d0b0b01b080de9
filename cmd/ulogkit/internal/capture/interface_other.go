//go:build !linux

package capture

import (
	"context"
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Interface is a network interface whose packets are read as they pass.
type Interface struct{ gopacket.PacketDataSource }

// Dropped returns how many packets the system could not hand over in time.
func (*Interface) Dropped() int64 { return 0 }

// OpenInterface says how to capture where this program cannot.
func OpenInterface(_ context.Context, name string, _ func() error) (*Interface, layers.LinkType, error) {
	return nil, 0, fmt.Errorf("cannot capture on %s: it is done on Linux alone; here, use \"tcpdump -i %s -U -w - | ulogkit capture -\"", name, name)
}
