package mqttv5

import "time"

// refusal says what becomes of a record that the server answered with a failure
// code.
type refusal struct {
	park   int  // with this refusal the record is parked; 0 is never
	renew  bool // its device registers anew first, once until something of it was delivered
	atOnce bool // it is sent again at once and not after the device's wait

	patience time.Duration // longest wait of the device; 0 is a minute

	hint string // what a person is to do; may be empty
}

// refusals is the table of negative acknowledgements.
var refusals = map[ReasonCode]refusal{
	// The cloud wants the record, later.
	ReasonQuotaExceeded: {hint: "the rate has been halved; try again in half a minute"},
	ReasonRateTooHigh:   {hint: "the rate has been halved; try again in half a minute"},
	ReasonServerBusy:    {},

	// The record will never be taken.
	ReasonTopicNameInvalid:     {park: 1, hint: "check customer, group and application id"},
	ReasonPayloadFormatInvalid: {park: 1, hint: "the cloud cannot read this message"},
	ReasonPacketTooLarge:       {park: 1},

	// The session may have been forgotten.
	ReasonNotAuthorized: {park: 3, renew: true, hint: "the certificate's policy must allow this topic; check customer, group and application id"},

	// Who takes it may be away: 20 times in two hours.
	ReasonNoMatchingSubscribers: {park: 20, patience: 10 * time.Minute},

	ReasonPacketIDInUse: {park: 10, atOnce: true},
}

// refusalOf returns what follows from a code; one that says nothing is borne ten
// times.
func refusalOf(code ReasonCode) refusal {
	if r, ok := refusals[code]; ok {
		return r
	}
	return refusal{park: 10}
}

// retryWait is the wait of one device after failures in a row: 1 s, 2 s, ... up to
// the longest, 0 is a minute.
func retryWait(failures int, longest time.Duration) time.Duration {
	if longest == 0 {
		longest = time.Minute
	}
	return min(time.Second<<min(max(failures-1, 0), 10), longest)
}
