// Package spool takes files from a folder into an outbox, for programs that can do no
// more than write a file.
//
// [Spool.Run] looks at the folder again and again. A program puts a file in by
// renaming it into the folder; one that is still being written, begins with a dot or
// ends in .tmp or .part is left alone. A file is a binary log or a crash dump, by what
// it holds, or text by the end of its name, .txt or .ndjson. Bytes of text that are not
// UTF-8 are replaced, which is told; with a zero byte it is no text.
//
// # Devices
//
//	DIR/FILE            of the device that Config.Device names
//	DIR/NAME/FILE       of the device that DIR/NAME/device.json or device.bin names
//	DIR/done/...        what was accepted, if Config.Keep is set
//	DIR/bad/...         what can never be accepted, and FILE.reason beside it
//
// device.bin is the device info that a device sends over BLE (FORMAT section 4);
// device.json has the keys application, serial, device_type, git_version and git_hash.
// A crash dump names its device itself.
//
// # Guarantees
//
// A file leaves the folder only when the outbox has its record on disk, or when it is
// in bad with its reason. A crash between the two makes a second record of it, never
// none. The files of a device are accepted in the order of their times of change, then
// of their names. One that cannot be read, a link, or anything else that is no regular
// file is told of once and never holds up the others. When the outbox is full or the
// disk fails, everything stays where it is until there is room.
package spool
