package localcloud

import "github.com/mochi-mqtt/server/v2/packets"

// uploads is where firmware is put.
type uploads struct{}

func (u *uploads) close() error { return nil }

func (c *Cloud) answerFirmware(packets.Packet) {}
