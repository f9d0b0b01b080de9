// Package localcloud is a stand-in for the uLogger cloud on loopback: an embedded
// MQTT broker with throwaway mTLS certificates that answers the boot handshake with
// tokens, receives logs, crash dumps, text logs, metrics and events, verifies them
// and remembers what it got.
//
// It takes MQTT 5 and 3.1.1, as the real cloud does: ulogkit speaks the one, the
// vendor's library, bridges and much firmware the other. What it does not understand
// it remembers as KindUnknown and says why; a client that it sends away gets a line.
//
// Start starts it; the addresses and file names it returns go into a
// mqttv5.Config. It is for demonstrations, for developing firmware and gateways,
// and for tests. It is not a broker for production: it listens on loopback only.
//
// [AWS] has the limits of the real cloud; with it, as Config.Strict, the stand-in
// finds out whether a gateway keeps them.
//
// A message is acknowledged after it has been verified, written (when there is a
// directory) and remembered.
package localcloud
