package wire

import "iter"

// Filters are the topic filters of a SUBSCRIBE or UNSUBSCRIBE, as they are on
// the wire: strings with their lengths, in a SUBSCRIBE each with a byte of
// options. Make them with AppendFilter and read them with MQTT.Subscriptions.
//
// Source: MQTT 5.0 sections 3.8.3 and 3.10.3.
type Filters []byte

// Subscription is one topic filter and, in a SUBSCRIBE, its options.
type Subscription struct {
	Filter            []byte
	QoS               uint8 // the most that is wanted
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    uint8
}

var (
	fieldFilter  = newField("mqtt subscribe", "topic_filter", -1)
	fieldOptions = newField("mqtt subscribe", "options", -1)
)

// AppendFilter appends a topic filter for a packet of type t, PacketSubscribe
// or PacketUnsubscribe. Filters longer than 65,535 bytes are refused.
func AppendFilter(dst Filters, t PacketType, s Subscription) (Filters, error) {
	out, err := appendText(dst, s.Filter, fieldFilter)
	if err != nil {
		return nil, err
	}
	if t == PacketSubscribe {
		options := s.QoS | s.RetainHandling<<4
		if s.NoLocal {
			options |= 1 << 2
		}
		if s.RetainAsPublished {
			options |= 1 << 3
		}
		out = append(out, options)
	}
	return out, nil
}

// Subscriptions returns an iterator over the filters of a SUBSCRIBE or
// UNSUBSCRIBE.
func (m *MQTT) Subscriptions() iter.Seq[Subscription] {
	return func(yield func(Subscription) bool) {
		c := cursor{b: m.Filters}
		for len(c.b) > 0 {
			s := c.subscription(m.Type, m.v5())
			if c.err != nil || !yield(s) {
				return
			}
		}
	}
}

// filters checks that the rest of the packet is filters, and returns it.
func (c *cursor) filters(t PacketType, v5 bool) Filters {
	all := c.b
	if len(all) == 0 {
		c.remark(remarkFilter, fieldFilter.short)
	}
	for len(c.b) > 0 {
		c.subscription(t, v5)
	}
	if c.err != nil {
		return nil
	}
	return Filters(all)
}

// subscription reads one filter, and its options if the packet has them.
func (c *cursor) subscription(t PacketType, v5 bool) (s Subscription) {
	s.Filter = c.text(fieldFilter)
	if len(s.Filter) == 0 && c.err == nil {
		c.remark(remarkFilter, fieldFilter.value)
	}
	if t != PacketSubscribe {
		return s
	}
	options := c.u8(fieldOptions)
	s.QoS = options & 3
	s.NoLocal = options&(1<<2) != 0
	s.RetainAsPublished = options&(1<<3) != 0
	s.RetainHandling = options >> 4
	// Version 3.1.1 knows the quality of service alone.
	if s.QoS == 3 || s.RetainHandling > 2 || !v5 && options > 2 {
		c.remark(remarkFilter, fieldOptions.value)
	}
	return s
}
