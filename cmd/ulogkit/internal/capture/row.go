// Package capture turns the messages in a capture file into the rows that the
// command line prints and writes as JSON, and into files.
//
// The JSON keys are a contract: keys may be added, none renamed. Every row has
// time, source, destination, topic and kind; the others are those of its kind. A
// record of a log, whose kind is "record", has those of "ulogkit decode --json".
package capture

import (
	"net/netip"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/wire"
)

// Row is one message. What its kind does not have is absent.
type Row struct {
	Time        time.Time `json:"time"`
	Source      end       `json:"source"`
	Destination end       `json:"destination"`
	Topic       string    `json:"topic"`
	Kind        string    `json:"kind"`

	// MQTT.
	Packet      string   `json:"packet,omitempty"`
	PacketID    uint16   `json:"packet_id,omitempty"`
	QoS         *uint8   `json:"qos,omitempty"` // of a publish
	Dup         bool     `json:"dup,omitempty"`
	Retain      bool     `json:"retain,omitempty"`
	Size        *int     `json:"size,omitempty"` // of a publish's payload, in bytes
	ReasonCode  *uint8   `json:"reason_code,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	ReasonCodes []int    `json:"reason_codes,omitempty"`
	LatencyMS   *float64 `json:"latency_ms,omitempty"` // since what this answers
	MQTTVersion *uint8   `json:"mqtt_version,omitempty"`
	ClientID    *string  `json:"client_id,omitempty"`
	KeepAlive   *uint16  `json:"keep_alive,omitempty"` // in seconds
	CleanStart  *bool    `json:"clean_start,omitempty"`
	Bridge      bool     `json:"bridge,omitempty"`      // the client is a broker
	ProxiedFor  string   `json:"proxied_for,omitempty"` // whom a proxy speaks for
	Username    string   `json:"username,omitempty"`    // only if secrets are shown
	Password    string   `json:"password,omitempty"`    // likewise
	Filters     []string `json:"filters,omitempty"`

	// Logs and crash dumps; the keys are those of inspect.
	Version       *uint32 `json:"version,omitempty"`
	SessionToken  *uint32 `json:"session_token,omitempty"` // only if secrets are shown
	Sequence      *uint32 `json:"sequence,omitempty"`
	Tick          *uint32 `json:"tick,omitempty"`
	TickRateHz    *uint32 `json:"tick_rate_hz,omitempty"`
	EpochTimeUs   *uint64 `json:"epoch_time_us,omitempty"`
	DataLen       *int    `json:"data_len,omitempty"`
	Frames        *int    `json:"frames,omitempty"`
	TotalLen      *uint32 `json:"total_len,omitempty"`
	Checksum      *uint32 `json:"checksum,omitempty"`
	ChecksumOK    *bool   `json:"checksum_ok,omitempty"`
	ApplicationID *uint32 `json:"application_id,omitempty"`
	GitHash       *string `json:"git_hash,omitempty"`
	DeviceType    *string `json:"device_type,omitempty"` // of a boot request too
	DeviceSerial  *string `json:"device_serial,omitempty"`
	VersionString *string `json:"version_string,omitempty"`

	// The boot handshake.
	Git           *string `json:"git,omitempty"`
	Serial        *string `json:"serial,omitempty"`
	DeviceVersion *string `json:"device_version,omitempty"`
	Token         *uint32 `json:"token,omitempty"` // only if secrets are shown

	Captured  *int   `json:"captured,omitempty"`  // bytes of a packet that is cut, of size
	Undecided bool   `json:"undecided,omitempty"` // the version of MQTT is not known, nor what this says
	Remark    string `json:"remark,omitempty"`    // what is unusual, and understood all the same

	Lost  *int64 `json:"lost,omitempty"`  // bytes; -1 if unknown
	File  string `json:"file,omitempty"`  // where the payload was written
	Error string `json:"error,omitempty"` // what is wrong, and what to do
}

// end is one end of a connection.
type end netip.AddrPort

// MarshalText implements encoding.TextMarshaler.
func (e end) MarshalText() ([]byte, error) { return []byte(netip.AddrPort(e).String()), nil }

// Set makes r the row of a message, whose fields it shares. Secrets are in it as far
// as they are in the message, but for the token of a log, which showSecrets decides.
func (r *Row) Set(m *wire.Message, showSecrets bool) {
	*r = Row{
		Time: m.Time, Source: end(m.Source), Destination: end(m.Destination), Topic: m.Topic, Kind: m.Kind.String(),
		PacketID: m.PacketID, Dup: m.Dup, Retain: m.Retain, Filters: m.Filters, Reason: m.Reason,
		Remark: m.Remark, Undecided: m.Undecided,
	}
	if m.Packet != 0 {
		r.Packet = m.Packet.String()
	}
	if m.Packet == wire.PacketPublish {
		r.QoS, r.Size = &m.QoS, &m.PayloadSize
	}
	if m.Reason != "" {
		r.ReasonCode = new(uint8(m.ReasonCode))
	}

	for _, code := range m.ReasonCodes {
		r.ReasonCodes = append(r.ReasonCodes, int(code))
	}
	if m.Latency >= 0 {
		r.LatencyMS = new(float64(m.Latency.Microseconds()) / 1000)
	}

	switch m.Kind {
	case wire.KindConnect:
		r.MQTTVersion, r.ClientID, r.KeepAlive, r.CleanStart = &m.Version, &m.ClientID, &m.KeepAlive, &m.CleanStart
		r.Username, r.Password, r.Bridge = m.Username, string(m.Password), m.Bridge
		if m.ProxiedFor.IsValid() {
			r.ProxiedFor = m.ProxiedFor.String()
		}
	case wire.KindLog:
		r.log(m.Payload, showSecrets)
	case wire.KindCoreDump:
		r.coreDump(m.Payload)
	case wire.KindBootRequest:
		r.DeviceType, r.Git, r.Serial, r.DeviceVersion = &m.Boot.DeviceType, &m.Boot.Git, &m.Boot.Serial, &m.Boot.Version
	case wire.KindBootReply:
		if showSecrets && m.Err == nil {
			r.Token = &m.Token
		}
	case wire.KindCut:
		r.QoS, r.Size, r.Captured = &m.QoS, &m.PayloadSize, &m.Captured
	case wire.KindUnread:
		r.Lost, r.Remark = &m.Lost, "" // the error has it
	case wire.KindGap, wire.KindResync, wire.KindOversize:
		r.Lost = &m.Lost
	}

	if r.Error = m.Trouble(); r.Error == "" && m.Err != nil {
		r.Error = m.Err.Error()
	}
}

// log adds what the header of a log says.
func (r *Row) log(b []byte, showSecrets bool) {
	l, _, err := format.ParseLog(b)
	if err != nil {
		return
	}
	if showSecrets {
		r.SessionToken = new(l.SessionToken())
	}

	r.Version, r.DataLen, r.Checksum = new(uint32(l.Version())), new(len(l.Data())), new(uint32(l.Checksum()))
	r.ChecksumOK = new(l.Verify() == nil)
	if n, ok := l.Sequence(); ok {
		r.Sequence = &n
	}

	if tick, rate, ok := l.Clock(); ok {
		r.Tick, r.TickRateHz = &tick, &rate
	}
	if us, ok := l.Epoch(); ok {
		r.EpochTimeUs = &us
	}

	n := 0
	frames := l.Frames()
	for frames.Next() {
		n++
	}
	r.Frames = &n
}

// coreDump adds what the header of a crash dump says.
func (r *Row) coreDump(b []byte) {
	d, _, err := format.ParseCoreDump(b)
	if err != nil {
		return
	}
	h := d.Header
	r.TotalLen, r.Checksum, r.ChecksumOK, r.Version = new(h.LenTotal()), new(h.Checksum()), new(d.Verify() == nil), new(h.Version())
	r.ApplicationID = new(h.ApplicationID())
	r.GitHash, r.DeviceType = text(h.GitHash()), text(h.DeviceType())
	r.DeviceSerial, r.VersionString = text(h.DeviceSerial()), text(h.VersionString())
}

func text(b []byte) *string { return new(string(b)) }
