package outbox

// What a record is in before it has an Entry, while it is leased, and when it has left:
// with these, every record is in one state at any time.
const (
	StateOffered   State = "offered"   // in the hands of who submits: nothing was promised
	StateInFlight  State = "in flight" // leased; its Entry says waiting
	StateDelivered State = "delivered" // acknowledged, and forgotten
	StateDropped   State = "dropped"   // by a person, or to make room where that was asked for
)

// Step is a way of a record from one state to another.
type Step struct {
	From, To State
	By       string // what is called, or what happens
}

// steps are all there are: no call and no end of the process takes a record any other
// way. The documents draw their picture from this table.
var steps = []Step{
	{StateOffered, StateWaiting, "Submit"},
	{StateWaiting, StateInFlight, "Lease"},
	{StateInFlight, StateDelivered, "Done"},
	{StateInFlight, StateWaiting, "Again"},
	{StateInFlight, StateWaiting, "Hold"},
	{StateInFlight, StateWaiting, "crash"},
	{StateInFlight, StateParked, "Park"},
	{StateParked, StateWaiting, "Retry"},
	{StateWaiting, StateDamaged, "wrong CRC"},
	{StateWaiting, StateDropped, "Drop"},
	{StateWaiting, StateDropped, "DropLowest"},
	{StateParked, StateDropped, "Drop"},
	{StateDamaged, StateDropped, "Drop"},
}

// Steps returns every step that a record can take, in the order of its way.
func Steps() []Step { return append([]Step(nil), steps...) }
