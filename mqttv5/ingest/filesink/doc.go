// Package filesink keeps ingest's records in files, for a worker that has a disk
// and no server to send to.
//
// [Open] returns a [Sink] on a directory. Append writes a batch to the newest
// segment with one write and one fsync. [OpenReader] replays the records, in this
// process or another, also while a worker writes.
//
// # Files
//
// A directory holds segments, named after the sequence number of their first
// record, and beside each an index:
//
//	sink
//	00000000000000000001.seg
//	00000000000000000001.idx
//	lock
//	accepted-losses
//
// A segment is 16 bytes, "ulogseg1" and a random marker of 8 bytes, and then
// records back to back, integers little-endian:
//
//	 0   8  the segment's marker
//	 8   4  CRC-32C of everything from offset 12
//	12   4  length of the payload
//	16   8  sequence number
//	24   8  time of arrival, ns since 1970
//	32  16  key
//	48   2  length of the topic
//	50   2  length of the record id
//	52   2  length of the reason
//	54   1  kind
//	55   1  0
//	56      topic, record id, reason, payload
//
// The index has 8 bytes for each record, its offset and its length; both are 0 for
// a record that is lost. An entry is written when its record is durable, so that a
// reader never sees a record that a power cut could still take away and whose
// number another would then get. It is also the memory of what was there: a record
// that has an entry and cannot be found is a loss, and keeps its number.
//
// The file sink holds the sink's identity, made with it and never changed, by which a
// position in one sink is told from a position in another. In accepted-losses are
// the sequence numbers of the losses that a person has seen, a line "FIRST LAST"
// for each run; [AcceptLosses] adds to it.
//
// # Guarantees
//
// Append returns nil only after an fsync of the records, and of the directory for
// a new segment. When writing fails, because the disk is full for instance, the
// batch's bytes are cut off again and Append can be tried again. After a failed
// fsync the segment is left as it is, since the kernel may have dropped what it could
// not write and report the next fsync as good; the next Append begins a new one, or
// writes this one anew from its head if no record was durable in it. Its marker stays
// then, so that a reader that has opened it goes on.
//
// Open cuts off what a crash left half written. It tells that from damage: where
// a good record follows a bad one, nothing is cut off, readers are told of the
// loss with an *ingest.LossError, and the good records are returned. Where storage has
// lost the newest segment's file, and the index beside it is there, Open makes the
// segment anew, empty, so that its numbers stay lost. A damaged head loses nothing,
// since each record has the marker.
//
// Reading changes nothing. What a worker that was killed has written and not yet
// entered into the index, a Reader finds by itself once no worker runs, and has
// the disk keep it before it returns it.
//
// A loss is told by each Reader, and logged by each Open, until it was accepted; after
// that too no record is ever missing without a word, since a Reader returns it with
// Accepted set.
//
// A directory that holds other files and no sink is refused and gets no lock. No
// symbolic link is followed to a file of the sink. One process at a time writes to a
// directory; a second Open fails with ErrLocked.
package filesink
