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
//	newest
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
// The file newest outlives both: it has, twice, a line of the first sequence number of
// the newest segment, 20 digits, a space, and the CRC-32C of the digits, 8 hexadecimal
// ones. It is written when the segment's name is durable, and before a record is in the
// segment, so that one that it names and that is not there, or shorter than its head, was
// lost. A sink without segments has 0 in it.
//
// The file sink holds the sink's identity, made with it and never changed, by which a
// position in one sink is told from a position in another. Sinks of the first version,
// whose file begins with "ulogkit file sink 1", have no file newest; Open makes it and
// then the identity one of version 2. In accepted-losses are
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
// loss with an *ingest.LossError, and the good records are returned. A damaged head loses
// nothing, since each record has the marker.
//
// No sequence number is given twice, also where storage loses whole files:
//
//   - Where a segment's file is gone or cut, and its index is there, the index tells which
//     numbers were given. Numbers go on behind them.
//   - Where both are gone or cut and it was the newest, the file newest tells that it was
//     begun. How many records it had is not known: the loss is Uncounted. A segment has
//     less than 2^27 records, since it has less than 4 GiB and a record's head 56 bytes, so
//     that numbers go on 2^27 behind its first. Between two other segments the next one's
//     name tells the numbers.
//   - Where the file newest is gone or damaged too, a newer segment may have been there or
//     not. That is an Uncounted loss as well, and numbers go on 2^40 behind the newest that
//     is left.
//
// A segment that is gone from the old end, with its index, was removed and is no loss. The
// newest one is a loss even so, to be accepted by whoever has removed it. Of two segments
// that have the same numbers the newer one is read, and the other's records are a loss.
// What none of these files tells is not known: that a segment is cut behind its head where
// its index, which is not synced, ends as early, and that a directory was put back as it was
// earlier.
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
