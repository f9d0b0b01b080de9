package mqttv5

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// Finding is the result of one check of Diagnose.
type Finding struct {
	Check  string // what was looked at
	OK     bool
	Detail string // what was found
	Remedy string // what to do, when it is not OK
}

// Diagnose checks, one after the other, what an upload needs: configuration,
// credentials, clock, name resolution, TLS and login, the broker's limits, the
// right to publish and to subscribe, a session token for the device, and whether the
// cloud answers on topics with a group, without one, or both. Each check that fails
// says what to do; those that depend on it are left out. It publishes nothing but boot
// requests.
func Diagnose(ctx context.Context, cfg Config, dev DeviceInfo) iter.Seq[Finding] {
	return diagnose(ctx, cfg, dev, New)
}

// diagnose is Diagnose with a client that open makes.
func diagnose(ctx context.Context, cfg Config, dev DeviceInfo, open func(Config) (*Client, error)) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		d := &diagnosis{ctx: ctx, dev: dev, open: open}
		for _, check := range [...]func(*diagnosis) Finding{
			func(d *diagnosis) Finding { return d.configuration(cfg) },
			(*diagnosis).credentials, (*diagnosis).clock, (*diagnosis).resolve,
			(*diagnosis).connect, (*diagnosis).limits, (*diagnosis).token, (*diagnosis).layout, (*diagnosis).logConfig,
		} {
			f := check(d)
			if f.Check == "" {
				continue
			}
			if !yield(f) || d.over {
				break
			}
		}
		if d.client != nil {
			d.client.Close()
		}
	}
}

type diagnosis struct {
	ctx    context.Context
	dev    DeviceInfo
	open   func(Config) (*Client, error)
	cfg    Config
	client *Client
	link   *link.Link
	over   bool // what follows depends on what failed

	answered bool // the cloud answers on the topics that are configured
	other    bool // and on those of the other layout
}

func (d *diagnosis) failed(check string, err error) Finding {
	f := Finding{Check: check, Detail: err.Error(), Remedy: "put right what is named, and check again"}
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		f.Remedy = e.Hint
		short := *e
		short.Hint = ""
		f.Detail = short.Error()
	}
	return f
}

func (d *diagnosis) configuration(cfg Config) Finding {
	const check = "configuration"
	cfg, err := withDefaults(cfg)
	if err == nil {
		err = d.dev.Validate()
	}
	if err != nil {
		d.over = true
		return d.failed(check, err)
	}
	d.cfg = cfg
	return Finding{Check: check, OK: true, Detail: fmt.Sprintf("customer %s at %s, device %s of application %d", cfg.CustomerID, address(cfg), d.dev.DeviceSerial, d.dev.ApplicationID)}
}

func (d *diagnosis) credentials() Finding {
	const check = "certificate and key"
	if d.cfg.Lent != nil {
		return Finding{Check: check, OK: true, Detail: "not used: the connection is lent"}
	}
	if d.cfg.InsecurePlaintext {
		return Finding{Check: check, OK: true, Detail: "not used: the connection is plaintext, on loopback"}
	}
	connection := linkConfig(d.cfg)
	leaf, err := connection.Certificate()
	if err != nil {
		d.over = true
		return d.failed(check, err)
	}
	f := Finding{Check: check, OK: true, Detail: fmt.Sprintf("%s, valid until %s", cmp.Or(d.cfg.CertFile, "given by the program"), leaf.NotAfter.Format(time.DateOnly))}
	if time.Until(leaf.NotAfter) < 14*24*time.Hour {
		f.OK, f.Remedy = false, "the certificate expires within two weeks; renew it"
	}
	return f
}

// clock knows no true time without the network; a year that cannot be is the usual
// fault of a gateway without a battery.
func (d *diagnosis) clock() Finding {
	now := time.Now()
	f := Finding{Check: "clock", OK: true, Detail: now.UTC().Format(time.RFC3339)}
	if now.Year() < 2025 || now.Year() > 2100 {
		f.OK, f.Remedy = false, "set the clock, for example by NTP; certificates cannot be checked without it"
	}
	return f
}

func (d *diagnosis) resolve() Finding {
	const check = "name resolution"
	if d.cfg.Lent != nil {
		return Finding{}
	}
	connection := linkConfig(d.cfg)
	if u, _ := connection.ProxyURL(); u != nil { // checked with the configuration
		return Finding{Check: check, OK: true, Detail: "left to the proxy " + u.Host}
	}
	ctx, cancel := context.WithTimeout(d.ctx, d.cfg.TokenTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, d.cfg.Broker)
	if err != nil {
		d.over = true
		return Finding{Check: check, Detail: err.Error(), Remedy: "check the broker's name and this machine's DNS"}
	}
	if _, err := netip.ParseAddr(d.cfg.Broker); err == nil {
		return Finding{Check: check, OK: true, Detail: d.cfg.Broker + " is an address"}
	}
	return Finding{Check: check, OK: true, Detail: d.cfg.Broker + " is " + strings.Join(addresses, ", ")}
}

func (d *diagnosis) connect() Finding {
	const check = "connection and login"
	start := time.Now()
	c, err := d.open(d.cfg)
	if err == nil {
		d.client = c
		d.link, err = c.keeper.Up(d.ctx)
	}
	if err != nil {
		d.over = true
		return d.failed(check, err)
	}
	return Finding{Check: check, OK: true, Detail: fmt.Sprintf("up in %v as %s", time.Since(start).Round(time.Millisecond), d.cfg.Tuning.ClientID)}
}

func (d *diagnosis) limits() Finding {
	f := Finding{Check: "broker limits", OK: true}
	inFlight, packet := d.link.Limits()
	f.Detail = fmt.Sprintf("%d messages in flight, ", inFlight)
	if packet == 0 {
		f.Detail += "no limit of the packet size named"
		return f
	}
	f.Detail += fmt.Sprintf("packets of at most %d bytes", packet)
	if packet < 66<<10 {
		f.OK, f.Remedy = false, "a log may have 65,552 bytes; this broker refuses the larger ones"
	}
	return f
}

func (d *diagnosis) token() Finding {
	const check = "registration"
	d.askOther() // before: the token that is kept must be the newest
	if _, err := d.client.GetSessionToken(d.ctx, d.dev); err != nil {
		return d.failed(check, err)
	}
	d.answered = true
	return Finding{Check: check, OK: true, Detail: "the cloud gave a session token on " + d.client.topic(topic.BootReply, d.dev)}
}

// Who does not say so means group "0": the vendor's library from 1.2.2 on puts it into
// every topic, and older releases have no group at all.
const usualGroup = "0"

// otherWait is how long a cloud has to answer on topics that nobody has configured.
const otherWait = 5 * time.Second

// otherGroup is that of the layout that is not configured; empty is none.
func (d *diagnosis) otherGroup() string {
	if d.cfg.GroupID == "" {
		return usualGroup
	}
	return ""
}

// askOther asks for a token on the topics of the other layout, and forgets it.
func (d *diagnosis) askOther() {
	ctx, cancel := context.WithTimeout(d.ctx, min(otherWait, d.cfg.TokenTimeout))
	defer cancel()
	_, err := d.client.ask(ctx, d.otherGroup(), d.dev)
	d.other = err == nil
}

// layout says on which topics the cloud answers. When it answers on none there is
// nothing to say that registration has not.
func (d *diagnosis) layout() Finding {
	name := func(group string) string {
		if group == "" {
			return "without a group"
		}
		return "with group " + group
	}

	configured, other := name(d.cfg.GroupID), name(d.otherGroup())
	f := Finding{Check: "topic layout", OK: d.answered}
	switch {
	case d.answered && d.other:
		f.Detail = fmt.Sprintf("the cloud answers %s, as configured, and %s", configured, other)
	case d.answered:
		f.Detail = fmt.Sprintf("the cloud answers %s, as configured, and not %s", configured, other)
	case d.other:
		f.Detail = fmt.Sprintf("the cloud answers %s and not %s, which is configured", other, configured)
		f.Remedy = fmt.Sprintf("set the group to %s", usualGroup)
		if d.cfg.GroupID != "" {
			f.Remedy = "leave the group out"
		}
	default:
		return Finding{}
	}

	return f
}

func (d *diagnosis) logConfig() Finding {
	const check = "log configuration"
	name := d.client.topic(topic.LogConfig, d.dev)
	ctx, cancel := context.WithTimeout(d.ctx, d.cfg.TokenTimeout)
	defer cancel()
	l, err := d.client.keeper.Up(ctx)
	if err == nil {
		err = l.Subscribe(ctx, name)
	}
	if err != nil {
		f := d.failed(check, err)
		if fault.Code(err).Failed() {
			f.Remedy = "the certificate's policy must allow to subscribe to " + name
		}
		return f
	}
	l.Release(name)
	return Finding{Check: check, OK: true, Detail: "subscribed to " + name}
}
