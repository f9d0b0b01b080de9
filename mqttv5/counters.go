package mqttv5

import "sync/atomic"

// counters counts what a client did.
type counters struct {
	connects    atomic.Int64
	failures    atomic.Int64 // attempts to connect that failed
	disconnects atomic.Int64
	delivered   atomic.Int64
	nobody      atomic.Int64 // acknowledged without a subscriber
	refused     atomic.Int64 // negative acknowledgements
	registered  atomic.Int64
	bytes       atomic.Int64 // payload bytes acknowledged
}
