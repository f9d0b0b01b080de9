// Package link has the one MQTT 5 connection of this repository: the uploader and
// the ingest workers stand on it. A [Keeper] opens a [Link] when it is needed, at
// most one at a time and never too soon after the last, judges its end and sets the
// pace of what follows. A Link sends messages and tells how each ended, subscribes,
// and hands over what arrives; Keeper.Request is a message that is answered by
// another. A record is not known here: who sends again what was lost is above.
package link
