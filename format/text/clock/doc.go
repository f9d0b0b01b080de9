// Package clock puts the buffers of a device on one time line.
//
// A frame tells the ticks since the frame before it, the first of a boot those since
// the agent began; a header tells the device's counter when it was written, which
// wraps. So the ticks before the first frame are not known, but the last frame of a
// buffer lies at or before its header's tick. [Resolve] takes all of this together:
// it tells which buffers are of one boot, in which order they were written, which of
// them came twice and where one is missing, and gives each a [Place] with bounds.
// A [Clock] does the same for buffers as they come, and cannot take back what it has
// said.
//
// What it goes by, in this order:
//
//   - Two buffers that are equal but for the token are one that was sent twice.
//   - Epochs, where both of two buffers have one: as much time has to lie between
//     them as between their ticks, or the device has restarted.
//   - Sums: the frames of a buffer take no more time than its header allows, those
//     of the next one are added to them. What does not fit is a restart, or a buffer
//     that came late, if it fills a gap that was there before it.
//   - A frame is in the first report after it. One whose sum lies before the report
//     that has been sent already shows that frames are missing between them.
//
// The bounds of a place rest on less, since all but the first two of these can be
// deceived, by a restart with the buffers around it lost. They are what a buffer's own
// header allows: no frame is before tick 0 or behind the header, counted from where
// the counter last was 0 or wrapped unseen. Buffers whose epochs show that they are of
// one boot bound each other.
//
// Source: FORMAT sections 1 and 2.
package clock
