package link

import (
	"context"
	"crypto/tls"
	"net"
)

// open dials, shakes hands and logs in, unless the connection is lent.
func (k *Keeper) open() (*Link, error) {
	ctx, cancel := context.WithTimeout(k.ctx, k.cfg.Timeout)
	defer cancel()
	if k.cfg.Lent != nil {
		return k.borrow(ctx)
	}
	conn, err := k.dial(ctx)
	if err != nil {
		return nil, err
	}
	l, err := openLink(ctx, conn, &k.cfg, k.rate, &k.routes)
	if err != nil {
		return nil, k.loginError(ctx, err)
	}
	return l, nil
}

// borrow makes a link on the connection that is lent, after the last one has given
// back its subscriptions: a late end of one must not end that of the next.
func (k *Keeper) borrow(ctx context.Context) (*Link, error) {
	k.mu.Lock()
	last := k.current
	k.mu.Unlock()
	if last != nil {
		select {
		case <-last.carrier.done():
		case <-ctx.Done():
			return nil, k.loginError(ctx, context.Cause(ctx))
		}
	}
	return openLoan(&k.cfg, k.rate, &k.routes), nil
}

// dial connects with the credentials of the moment and finishes the handshake.
func (k *Keeper) dial(ctx context.Context) (net.Conn, error) {
	var tlsConfig *tls.Config
	if !k.cfg.InsecurePlaintext {
		var err error
		if tlsConfig, err = k.identity.load(); err != nil {
			return nil, err
		}
	}

	conn, err := k.cfg.Dial(ctx, "tcp", k.cfg.Address())
	if err != nil {
		return nil, k.dialError(ctx, err)
	}

	if tlsConfig != nil {
		t := tls.Client(conn, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, k.handshakeError(ctx, err)
		}
		conn = t
	}

	if wrap := k.cfg.WrapConn; wrap != nil {
		conn = wrap(conn)
	}
	return conn, nil
}
