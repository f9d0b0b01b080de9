package capture

import (
	"encoding/json"
	"time"

	"github.com/ulogkit/ulogkit/wire"
)

// kindSummary is the kind of the last row, which is there when something was
// left out that no other row tells.
const kindSummary = "summary"

// summary is the last row of a capture: what was read, and what was not by
// reason.
type summary struct {
	Time        time.Time `json:"time"` // of the last packet
	Source      string    `json:"source"`
	Destination string    `json:"destination"`
	Topic       string    `json:"topic"`
	Kind        string    `json:"kind"`

	Lossless      bool    `json:"lossless"`
	Packets       int64   `json:"packets"`
	Segments      int64   `json:"segments"`
	Connections   int64   `json:"connections"`
	Messages      int64   `json:"messages"`
	Bad           int64   `json:"bad"`
	Undecoded     int     `json:"undecoded"`
	Malformed     int64   `json:"malformed"`
	Cut           int64   `json:"cut"`
	Undecided     int64   `json:"undecided"`
	Gaps          int64   `json:"gaps"`
	GapBytes      int64   `json:"gap_bytes"`
	LostBytes     int64   `json:"lost_bytes"`
	Encrypted     int64   `json:"encrypted"`
	WebSockets    int64   `json:"web_sockets"`
	Fragments     int64   `json:"fragments"`
	Damaged       int64   `json:"damaged"`
	UnknownLink   int64   `json:"unknown_link"`
	Tunnels       int64   `json:"tunnels"`
	OtherPackets  int64   `json:"other_packets"`
	Retransmitted int64   `json:"retransmitted_bytes"`
	Void          int64   `json:"void_segments"`
	GuessedTimes  int64   `json:"guessed_times"` // packets; see [wire.Stats]
	NotMQTT       notMQTT `json:"not_mqtt"`
	Withheld      int     `json:"withheld"` // payloads not extracted
	Error         string  `json:"error,omitempty"`
}

type notMQTT struct {
	SSH   int64 `json:"ssh"`
	HTTP  int64 `json:"http"`
	TLS   int64 `json:"tls"`
	Other int64 `json:"other"`
	Bytes int64 `json:"bytes"`
}

// Untold reports whether something was left out of a capture, or guessed, that no row
// tells.
func Untold(s *wire.Stats) bool {
	return s.NotMQTT != (wire.NotMQTT{}) || s.Void+s.GuessedTimes+s.Fragments+s.Damaged+s.UnknownLink+s.Tunnels > 0
}

// SummaryRow returns the last row as JSON. The error is what the exit code
// speaks of.
func SummaryRow(s *wire.Stats, undecoded, withheld int, verdict error) ([]byte, error) {
	row := summary{
		Time: s.Last, Kind: kindSummary, Lossless: s.Lossless(), Packets: s.Packets, Segments: s.Segments, Connections: s.Connections,
		Messages: s.Messages, Bad: s.Bad, Undecoded: undecoded, Malformed: s.Malformed, Cut: s.Cut, Undecided: s.Undecided, Gaps: s.Gaps,
		GapBytes: s.GapBytes, LostBytes: s.LostBytes, Encrypted: s.Encrypted, WebSockets: s.WebSockets, Fragments: s.Fragments,
		Damaged: s.Damaged, UnknownLink: s.UnknownLink, Tunnels: s.Tunnels, OtherPackets: s.Other, Retransmitted: s.Retransmitted,
		Void: s.Void, GuessedTimes: s.GuessedTimes, NotMQTT: notMQTT(s.NotMQTT), Withheld: withheld,
	}
	if verdict != nil {
		row.Error = verdict.Error()
	}
	return json.Marshal(&row)
}
