package mqttv5

import (
	"context"
	"errors"
)

var errNotYet = errors.New("not written yet")

// Client sends to the cloud over one connection. It is safe for concurrent use.
type Client struct {
	cfg Config
}

// New checks the configuration and the credential files and returns a client. It
// does not touch the network.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg}, nil
}

// Connect connects now, rather than with the first call that needs the broker.
func (c *Client) Connect(ctx context.Context) error { return errNotYet }

// Close waits for messages in flight, for at most a few seconds, says goodbye to
// the broker and closes the connection.
func (c *Client) Close() error { return nil }

// GetSessionToken runs the boot handshake for a device and keeps the token in the
// store. It always asks the cloud.
func (c *Client) GetSessionToken(ctx context.Context, dev DeviceInfo) (uint32, error) {
	return 0, errNotYet
}

// GetOrFetchToken returns the stored token of a device and its firmware, or runs
// the boot handshake when there is none.
func (c *Client) GetOrFetchToken(ctx context.Context, dev DeviceInfo) (uint32, error) {
	return 0, errNotYet
}

// PublishBinaryLog publishes buf as it is, token included, and waits for the
// acknowledgement. It does not look into buf; UploadLog does. The buffer must not
// change until it returns.
func (c *Client) PublishBinaryLog(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	return Receipt{}, errNotYet
}

// UploadLog verifies one binary log, writes the device's session token into it,
// publishes it and waits for the acknowledgement. Nothing is sent if the checksum
// is wrong. buf itself is not changed: the token goes into a copy.
func (c *Client) UploadLog(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	return Receipt{}, errNotYet
}

// PublishCoreDump verifies one crash dump, publishes it and waits for the
// acknowledgement. A dump that is too large is refused, with the limit named,
// before anything is sent.
func (c *Client) PublishCoreDump(ctx context.Context, dump []byte) (Receipt, error) {
	return Receipt{}, errNotYet
}
