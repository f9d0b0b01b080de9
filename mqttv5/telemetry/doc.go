// Package telemetry holds what a device reports beside its logs: metrics, which are
// numbers with a name, and events, which are things that happened.
//
// [Encode] and [EncodeBatch] write a message for one device or for many as the cloud
// reads it, [Parse] reads one back. [Compress] shortens a batch. [API] sends reports
// over HTTP, for a host that has a token and no certificate; over MQTT they go with
// mqttv5.Client.
//
// Nothing is encoded that the cloud could not use: a number that is not finite, a
// name that is empty, a batch without devices. The cloud takes a batch as a whole or
// not at all, so that one bad entry would cost all others.
//
// The form of the messages is that of the vendor's library (LIBRARY, section 6).
package telemetry
