// Package format reads and writes the bytes that devices running the uLogger
// agent emit: binary logs, crash dumps, and the small messages between device
// and gateway.
//
// A log is read in three steps, each a view into the caller's buffer:
//
//	log, rest, err := format.ParseLog(buf)     // header: version, lengths
//	err = log.Verify()                         // checksum over the data
//	frames := log.Frames()                     // one frame a log record
//	for frames.Next() {
//		record, err := format.ParsePayload(frames.Frame().Payload)
//		args := record.Args()
//		for args.Next() { ... args.Arg() ... }
//	}
//	err = frames.Err()
//
// What a header tells is asked without a look at its version: [Header.Clock],
// [Header.Epoch], [Header.SessionToken]. A header alone, such as that of a log which
// was cut, is read by [ParseHeader].
//
// A crash dump is read by [ParseCoreDump], [CoreDump.Verify] and
// [ParseCrashCatcher]. [ParseDeviceInfo], [ParseLogConfig] and [ParseChunk] read
// what passes between device and gateway, and a [Transfer] joins chunks.
// [CheckLog] and [CheckCoreDump] do all steps at once and explain what is wrong
// in words. A [Decoder] reads logs from a stream of any chunks and goes on after
// damage. Every type is written by its AppendTo; a [LogBuilder] makes a log of
// records as a device does.
//
// # Guarantees
//
// A view copies nothing and allocates nothing, on good input or bad: it aliases
// the buffer it was parsed from, so keep that unchanged while it is in use.
// ([Decoder], [Transfer] and [LogBuilder] have buffers of their own, and the
// Check functions make text.)
// After a Parse function succeeds, no accessor of its result can panic and none
// returns an error. A parser's errors are made once; each is an [*Error] that
// names type, field and offset and unwraps to a sentinel such as [ErrShort], or
// a [VersionError]. No length on the wire sizes an allocation, and any bytes at
// all give a result or an error.
//
// The checksum of a log is one XOR byte over the data. It catches every flip of
// a single bit and every odd number of flips in one bit position. It misses an
// even number of flips in every bit position, such as two of the same bit of
// different bytes, any reordering of bytes, and bytes of zero added or removed
// together with a matching length; of logs damaged at random, one in 256
// passes. Token, sequence, ticks and time in the header have no checksum.
//
// # What is generated and what is manual
//
// The files z*.go are generated from spec/ulogger.ksy by package gen: a view for
// each type of fixed size, a struct for each type made of views and byte
// tails, the enums and the checksums. Written by hand is what the spec marks
// with -manual, because it chooses between types or decodes lazily: [Header],
// [Log] and [Frames] over all header versions, by the table of layouts that gen
// writes, [Payload] with [Args] and [Payload.Strings], and [CrashCatcher]. Package
// fuzz holds both to a slow interpreter of the spec.
package format

//go:generate go run ../gen -dir .
