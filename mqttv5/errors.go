package mqttv5

import "github.com/ulogkit/ulogkit/mqttv5/internal/fault"

// Error says what failed, why, and what to do about it: Op is what was being done,
// Class one of the classes below, Code the server's reason code (0 when it gave
// none), Err the cause and Hint what to do.
type Error = fault.Error

// Classes of errors. ErrTooLarge is a kind of ErrBadData.
var (
	ErrBadData     = fault.ErrBadData     // the bytes to be sent are wrong; nothing was sent
	ErrConfig      = fault.ErrConfig      // the Config or an argument is wrong; nothing was sent
	ErrCredentials = fault.ErrCredentials // certificate, key or CA cannot be used; nothing was sent
	ErrNetwork     = fault.ErrNetwork     // no connection, or no answer in time
	ErrRefused     = fault.ErrRefused     // the server answered with a failure code
	ErrNobody      = fault.ErrNobody      // the broker took a message, and dropped it since nobody was subscribed
	ErrStorage     = fault.ErrStorage     // the outbox or the token file cannot be read or written
	ErrOutboxFull  = fault.ErrOutboxFull  // the outbox refuses; nothing was accepted
	ErrClosed      = fault.ErrClosed      // Close was called
	ErrTooLarge    = fault.ErrTooLarge    // more bytes than the server takes
)

// ReasonCode is a code with which an MQTT 5 server answers (MQTT 5 section 2.4).
type ReasonCode = fault.ReasonCode

// Reason codes that something acts upon.
const (
	ReasonSuccess               = fault.ReasonSuccess
	ReasonNoMatchingSubscribers = fault.ReasonNoMatchingSubscribers
	ReasonUnsupportedVersion    = fault.ReasonUnsupportedVersion
	ReasonBadClientID           = fault.ReasonBadClientID
	ReasonBadUserOrPassword     = fault.ReasonBadUserOrPassword
	ReasonNotAuthorized         = fault.ReasonNotAuthorized
	ReasonServerBusy            = fault.ReasonServerBusy
	ReasonBanned                = fault.ReasonBanned
	ReasonSessionTakenOver      = fault.ReasonSessionTakenOver
	ReasonTopicNameInvalid      = fault.ReasonTopicNameInvalid
	ReasonPacketIDInUse         = fault.ReasonPacketIDInUse
	ReasonReceiveMaximum        = fault.ReasonReceiveMaximum
	ReasonPacketTooLarge        = fault.ReasonPacketTooLarge
	ReasonRateTooHigh           = fault.ReasonRateTooHigh
	ReasonQuotaExceeded         = fault.ReasonQuotaExceeded
	ReasonPayloadFormatInvalid  = fault.ReasonPayloadFormatInvalid
	ReasonUseAnotherServer      = fault.ReasonUseAnotherServer
	ReasonServerMoved           = fault.ReasonServerMoved
)
