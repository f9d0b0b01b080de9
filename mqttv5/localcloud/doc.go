// Package localcloud is a stand-in for the uLogger cloud on loopback: an embedded
// MQTT 5 broker with throwaway mTLS certificates that answers the boot handshake
// with tokens, receives logs, crash dumps and text logs, verifies them and
// remembers what it got.
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
