package localcloud

import "time"

// Strict holds what the real cloud does and a friendly broker does not. The zero
// value is friendly; a limit of 0 is none.
type Strict struct {
	MaxPacket  uint32 // Maximum Packet Size in bytes, told and enforced; 0 is 132 KiB
	MaxPayload int    // bytes of a message; beyond it the connection ends with 0x95

	ReceiveMaximum     uint16 // messages it takes unacknowledged; 0 is 1024
	PublishesPerSecond int    // of a connection, which may save up those of one second; beyond it the answer is PUBACK 0x97
	BytesPerSecond     int    // of the payloads of a connection, by the same rule
	SilentOverRate     bool   // what is beyond a rate is lost and gets no PUBACK

	ConnectInterval  time.Duration // least time between two CONNECTs of a client id; sooner is CONNACK 0x9F
	MinKeepAlive     uint16        // seconds; shorter is set to it, which the CONNACK tells
	MaxKeepAlive     uint16        // seconds; longer, or none, is set to it likewise
	MaxTopic         int           // bytes of a topic or filter; longer ends the connection with 0x90 or 0x8F
	MaxSlashes       int           // in a topic or filter, by the same rule
	MaxFilters       int           // in a SUBSCRIBE; more end the connection with 0x97
	MaxSubscriptions int           // of a connection, by the same rule
	NoSubscriptionID bool          // a SUBSCRIBE with an identifier ends the connection with 0xA1
	DenyByDisconnect bool          // publishing where a client may not ends the connection with 0x87; else it is PUBACK 0x87

	SilentBoot     bool // boot requests get no answer
	LoseFirstReply bool // the first boot reply to each device is lost, as when a SUBACK comes before the subscription works
	CheckTokens    bool // a log with an unknown session token gets PUBACK 0x87
	NoSubscriber   bool // every PUBACK says 0x10, as when nobody is subscribed
}

// AWS returns the limits of AWS IoT Core, which the real cloud appears to be, in
// their strictest form (MQTT facts, "AWS IoT Core").
func AWS() Strict {
	return Strict{
		MaxPayload:     128 << 10,
		ReceiveMaximum: 100, PublishesPerSecond: 100, BytesPerSecond: 512 << 10, SilentOverRate: true,
		ConnectInterval: time.Second, MinKeepAlive: 30, MaxKeepAlive: 1200,
		MaxTopic: 256, MaxSlashes: 7, MaxFilters: 8, MaxSubscriptions: 50, NoSubscriptionID: true,
		DenyByDisconnect: true, CheckTokens: true,
	}
}

// Violation is something that Strict does not let a client do.
type Violation struct {
	ClientID string
	Reason   string // a sentence for people
}
