package mqttv5

import "time"

// Receipt says what the broker acknowledged.
type Receipt struct {
	ID      string        // record id sent along as user property "ulogkit-id"; stable over retries
	Topic   string        // topic the message went to
	Bytes   int           // payload length
	Code    ReasonCode    // ReasonSuccess or ReasonNoMatchingSubscribers
	Latency time.Duration // from the first byte sent to the acknowledgement
	Odd     error         // what is odd about a log or a crash dump that was sent all the same; nil when nothing is
}
