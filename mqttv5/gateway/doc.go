// Package gateway is a deliverer that can be left alone: it delivers an outbox for as
// long as it is let, takes files from a spool into it, hands on the log configuration
// that the cloud sends, and says how it is.
//
// [New] puts together what the caller has opened, [Gateway.Run] works until its context
// ends, and [Gateway.ServeHTTP] and [NewCollector] tell of it meanwhile. Run fails
// only where going on makes no sense: the outbox was closed, or another client insists
// on this one's identifier. All else is waited out.
//
// # Log configuration
//
// The cloud may send a configuration for each device that is watched: those given to
// New and those that the spool finds. Each change is written to Config.ConfigDir, as
// SERIAL.json, replaced as a whole, and given to Config.OnConfig, a command of the
// shell, which has the same JSON on its standard input and
//
//	ULOGKIT_SERIAL ULOGKIT_APPLICATION ULOGKIT_LEVEL ULOGKIT_MODULE_FLAGS
//	ULOGKIT_MODULES ULOGKIT_TIMEOUT_SECONDS
//
// in its environment. One command runs at a time, for half a minute at most; one that
// fails is logged.
package gateway
