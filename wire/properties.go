package wire

import (
	"encoding/binary"
	"iter"
	"strconv"
)

// PropertyID says what a property of MQTT 5.0 means.
//
// Source: MQTT 5.0 section 2.2.2.2.
type PropertyID uint8

// The properties. Those that a reader of publishes and answers asks for have names;
// Property.ID and its String tell the others.
const (
	propertyPayloadFormat          PropertyID = 1
	PropertyMessageExpiry          PropertyID = 2 // in seconds
	PropertyContentType            PropertyID = 3
	PropertyResponseTopic          PropertyID = 8
	PropertyCorrelationData        PropertyID = 9
	propertySubscriptionIdentifier PropertyID = 11
	propertySessionExpiry          PropertyID = 17 // in seconds
	propertyAssignedClientID       PropertyID = 18
	propertyServerKeepAlive        PropertyID = 19 // in seconds
	propertyAuthMethod             PropertyID = 21
	propertyAuthData               PropertyID = 22
	propertyRequestProblemInfo     PropertyID = 23
	propertyWillDelay              PropertyID = 24 // in seconds
	propertyRequestResponseInfo    PropertyID = 25
	propertyResponseInfo           PropertyID = 26
	propertyServerReference        PropertyID = 28
	PropertyReasonString           PropertyID = 31
	propertyReceiveMaximum         PropertyID = 33
	propertyTopicAliasMaximum      PropertyID = 34
	propertyTopicAlias             PropertyID = 35
	propertyMaximumQoS             PropertyID = 36
	propertyRetainAvailable        PropertyID = 37
	PropertyUser                   PropertyID = 38
	propertyMaximumPacketSize      PropertyID = 39 // in bytes
	propertyWildcardAvailable      PropertyID = 40
	propertySubIDAvailable         PropertyID = 41
	propertySharedSubAvailable     PropertyID = 42
)

// Property is one property. Its value is in Int or in Value, by its ID.
type Property struct {
	ID    PropertyID
	Int   uint32 // numbers and flags
	Key   []byte // the name of a user property
	Value []byte // text and binary data
}

// Properties are the properties of a packet, as they are on the wire. Make
// them with AppendProperty.
type Properties []byte

type propertyType uint8

const (
	propertyFlag   propertyType = iota + 1 // one byte, 0 or 1
	propertyU16                            // two bytes
	propertyU32                            // four bytes
	propertyVarint                         // variable byte integer
	propertyText                           // UTF-8 string
	propertyBinary                         // bytes
	propertyPair                           // two UTF-8 strings
)

// propertyInfo is one row of the specification's table.
type propertyInfo struct {
	typ     propertyType
	nonZero bool
	in      packetSet // the packets it may be in
}

// packetSet has one bit for each packet type and one for a will.
type packetSet uint16

const propertiesOfWill packetSet = 1 // the bit of type 0, which is no packet

func propertiesOf(t PacketType) packetSet { return 1 << (t & 15) }

const (
	inConnect     packetSet = 1 << PacketConnect
	inConnack     packetSet = 1 << PacketConnack
	inPublish     packetSet = 1 << PacketPublish
	inSubscribe   packetSet = 1 << PacketSubscribe
	inDisconnect  packetSet = 1 << PacketDisconnect
	inAuth        packetSet = 1 << PacketAuth
	inMessage               = inPublish | propertiesOfWill
	inHandshake             = inConnect | inConnack | inAuth
	inAnswer                = inConnack | 1<<PacketPuback | 1<<PacketPubrec | 1<<PacketPubrel | 1<<PacketPubcomp | 1<<PacketSuback | 1<<PacketUnsuback | inDisconnect | inAuth
	inAnywhere              = inAnswer | inConnect | inMessage | inSubscribe | 1<<PacketUnsubscribe
	numProperties           = propertySharedSubAvailable + 1
)

var propertyTable = [numProperties]propertyInfo{
	propertyPayloadFormat:          {propertyFlag, false, inMessage},
	PropertyMessageExpiry:          {propertyU32, false, inMessage},
	PropertyContentType:            {propertyText, false, inMessage},
	PropertyResponseTopic:          {propertyText, false, inMessage},
	PropertyCorrelationData:        {propertyBinary, false, inMessage},
	propertySubscriptionIdentifier: {propertyVarint, true, inPublish | inSubscribe},
	propertySessionExpiry:          {propertyU32, false, inConnect | inConnack | inDisconnect},
	propertyAssignedClientID:       {propertyText, false, inConnack},
	propertyServerKeepAlive:        {propertyU16, false, inConnack},
	propertyAuthMethod:             {propertyText, false, inHandshake},
	propertyAuthData:               {propertyBinary, false, inHandshake},
	propertyRequestProblemInfo:     {propertyFlag, false, inConnect},
	propertyWillDelay:              {propertyU32, false, propertiesOfWill},
	propertyRequestResponseInfo:    {propertyFlag, false, inConnect},
	propertyResponseInfo:           {propertyText, false, inConnack},
	propertyServerReference:        {propertyText, false, inConnack | inDisconnect},
	PropertyReasonString:           {propertyText, false, inAnswer},
	propertyReceiveMaximum:         {propertyU16, true, inConnect | inConnack},
	propertyTopicAliasMaximum:      {propertyU16, false, inConnect | inConnack},
	propertyTopicAlias:             {propertyU16, true, inPublish},
	propertyMaximumQoS:             {propertyFlag, false, inConnack},
	propertyRetainAvailable:        {propertyFlag, false, inConnack},
	PropertyUser:                   {propertyPair, false, inAnywhere},
	propertyMaximumPacketSize:      {propertyU32, true, inConnect | inConnack},
	propertyWildcardAvailable:      {propertyFlag, false, inConnack},
	propertySubIDAvailable:         {propertyFlag, false, inConnack},
	propertySharedSubAvailable:     {propertyFlag, false, inConnack},
}

// String returns the identifier in words, or "property(N)" for an unknown one.
func (id PropertyID) String() string {
	if id < numProperties && propertyNames[id] != "" {
		return propertyNames[id]
	}
	return "property(" + strconv.Itoa(int(id)) + ")"
}

var propertyNames = [numProperties]string{
	propertyPayloadFormat: "payload format indicator", PropertyMessageExpiry: "message expiry interval",
	PropertyContentType: "content type", PropertyResponseTopic: "response topic",
	PropertyCorrelationData: "correlation data", propertySubscriptionIdentifier: "subscription identifier",
	propertySessionExpiry: "session expiry interval", propertyAssignedClientID: "assigned client identifier",
	propertyServerKeepAlive: "server keep alive", propertyAuthMethod: "authentication method",
	propertyAuthData: "authentication data", propertyRequestProblemInfo: "request problem information",
	propertyWillDelay: "will delay interval", propertyRequestResponseInfo: "request response information",
	propertyResponseInfo: "response information", propertyServerReference: "server reference",
	PropertyReasonString: "reason string", propertyReceiveMaximum: "receive maximum",
	propertyTopicAliasMaximum: "topic alias maximum", propertyTopicAlias: "topic alias",
	propertyMaximumQoS: "maximum qos", propertyRetainAvailable: "retain available",
	PropertyUser: "user property", propertyMaximumPacketSize: "maximum packet size",
	propertyWildcardAvailable: "wildcard subscription available", propertySubIDAvailable: "subscription identifiers available",
	propertySharedSubAvailable: "shared subscription available",
}

var fieldProperties = newField("mqtt", "properties", -1)

// AppendProperty appends a property. Texts longer than 65,535 bytes, numbers
// that do not fit and unknown identifiers are refused.
func AppendProperty(dst Properties, p Property) (_ Properties, err error) {
	if p.ID >= numProperties || propertyTable[p.ID].typ == 0 {
		return nil, fieldProperties.value
	}

	out := append([]byte(dst), byte(p.ID))
	switch propertyTable[p.ID].typ {
	case propertyFlag:
		if p.Int > 1 {
			return nil, fieldProperties.value
		}
		return append(out, byte(p.Int)), nil
	case propertyU16:
		if p.Int > 0xffff {
			return nil, fieldProperties.value
		}
		return binary.BigEndian.AppendUint16(out, uint16(p.Int)), nil
	case propertyU32:
		return binary.BigEndian.AppendUint32(out, p.Int), nil
	case propertyVarint:
		if p.Int > maxVarint {
			return nil, fieldProperties.value
		}
		return appendVarint(out, p.Int), nil
	case propertyPair:
		if out, err = appendText(out, p.Key, fieldProperties); err != nil {
			return nil, err
		}
	}
	return appendText(out, p.Value, fieldProperties)
}

// All returns an iterator over the properties.
func (p Properties) All() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		c := cursor{b: p}
		for len(c.b) > 0 {
			v := c.property()
			if c.err != nil || !yield(v) {
				return
			}
		}
	}
}

// Lookup returns the first property with the given identifier.
func (p Properties) Lookup(id PropertyID) (Property, bool) {
	for v := range p.All() {
		if v.ID == id {
			return v, true
		}
	}
	return Property{}, false
}

// property reads one property.
func (c *cursor) property() (p Property) {
	p.ID = PropertyID(c.u8(fieldProperties))
	if c.err != nil {
		return p
	}
	if p.ID >= numProperties {
		c.fail(fieldProperties.value)
		return p
	}

	switch propertyTable[p.ID].typ {
	case propertyFlag:
		if p.Int = uint32(c.u8(fieldProperties)); p.Int > 1 {
			c.remark(remarkProperty, fieldProperties.value)
		}
	case propertyU16:
		p.Int = uint32(c.u16(fieldProperties))
	case propertyU32:
		p.Int = c.u32(fieldProperties)
	case propertyVarint:
		p.Int = c.varint(fieldProperties)
	case propertyText:
		p.Value = c.text(fieldProperties)
	case propertyBinary:
		p.Value = c.binary(fieldProperties)
	case propertyPair:
		p.Key = c.text(fieldProperties)
		p.Value = c.text(fieldProperties)
	default:
		c.fail(fieldProperties.value)
	}
	return p
}

// properties checks the properties of a packet, with their length before them,
// and returns them without it.
func (c *cursor) properties(in packetSet) Properties {
	b := c.take(int(c.varint(fieldProperties)), fieldProperties)
	if len(b) == 0 {
		return nil
	}

	var seen uint64
	all := cursor{b: b, strict: c.strict}
	for len(all.b) > 0 {
		p := all.property()
		if all.err != nil {
			c.fail(all.err)
			return nil
		}
		info := &propertyTable[p.ID]

		// A user property may be repeated, and so may the identifiers of the
		// subscriptions that a publish matched.
		repeated := seen&(1<<p.ID) != 0 && p.ID != PropertyUser &&
			!(p.ID == propertySubscriptionIdentifier && in == inPublish)
		if info.in&in == 0 || repeated || info.nonZero && p.Int == 0 {
			if c.remark(remarkProperty, fieldProperties.value); c.err != nil {
				return nil
			}
		}
		seen |= 1 << p.ID
	}

	c.remarks |= all.remarks
	return Properties(b)
}
