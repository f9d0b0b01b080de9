package text

import (
	"fmt"
	"io"
	"strings"
)

// maxListed is how many gaps and ranges a report lists; the sums go on.
const maxListed = 20

// Gap is a jump in the sequence numbers of a version 1 log.
type Gap struct {
	Offset int64  // of the frame after the gap, in bytes from the start of the file
	From   uint16 // the first number that is missing
	To     uint16 // the number that came instead
}

// Damage is a range of a file that could not be read, or not be trusted.
type Damage struct {
	Offset int64 // in bytes from the start of the file
	Len    int64
	Reason string
	// Records counts what the range still seems to hold.
	Records int64
}

// Report tells what a file held and what was lost.
type Report struct {
	Bytes   int64
	Logs    int64
	Records int64 // that could be read
	Shown   int64 // that passed the filter

	LostFrames   int64 // by the jumps of sequence numbers
	LostBetween  int64 // times that frames between two logs are missing, by their ticks
	Gaps         []Gap // the first of them
	DamagedBytes int64
	Damages      []Damage // the first of them
	DamagedCount int64
	damagedUntil int64 // offset at which the last of them ends
	Unreadable   int64 // records in good logs that cannot be read
	// Of the records shown:
	DroppedStrings int64 // too long for the device to keep
	NotRecorded    int64 // other arguments that the device left out
	Unknown        int64 // records whose format no dictionary has
	Misfits        int64 // records whose arguments are not the format's
	Uncertain      int64 // values that may be others; a mark shows which

	// What is worth knowing, though nothing is lost.
	Held          int64    // bytes of a log that was not whole when the reading was interrupted
	Changes       []string // of a file that was followed, the last of them
	Restarts      int64    // the device began to count anew, or sent frames again
	Repeated      int64    // logs that came before, and are shown once
	Discords      int64    // other logs whose clock contradicts those around it
	timings       []timing
	clockRestarts int64    // of Restarts those that the clock told
	NoTime        int64    // records that a time filter left out for want of a clock
	Overlaid      int64    // records of an address where overlays have several formats that fit
	Ambiguous     int64    // records, shown or not, that another dictionary that fits their log as well reads differently
	Tied          []string // names of the dictionaries that do, no more than ten
}

// Lost reports whether anything of the file is missing in the output.
func (r *Report) Lost() bool {
	return r.LostFrames != 0 || r.LostBetween != 0 || r.DamagedCount != 0 || r.Unreadable != 0 || r.DroppedStrings != 0 || r.NotRecorded != 0 ||
		r.Unknown != 0 || r.Misfits != 0
}

// gap notes frames that are missing.
func (r *Report) gap(g Gap) {
	r.LostFrames += int64(g.To - g.From)
	if len(r.Gaps) < maxListed {
		r.Gaps = append(r.Gaps, g)
	}
}

// damage notes a range, which may go on where the last one ended.
func (r *Report) damage(d Damage) {
	r.DamagedBytes += d.Len
	goesOn := r.DamagedCount > 0 && d.Offset == r.damagedUntil
	r.damagedUntil = d.Offset + d.Len
	if goesOn {
		if n := len(r.Damages); int64(n) == r.DamagedCount {
			r.Damages[n-1].Len += d.Len
			r.Damages[n-1].Records += d.Records
		}
		return
	}
	r.DamagedCount++
	if len(r.Damages) < maxListed {
		r.Damages = append(r.Damages, d)
	}
}

// merge adds the report of the next part of the file.
func (r *Report) merge(next *Report) {
	r.Bytes += next.Bytes
	r.Logs += next.Logs
	r.Records += next.Records
	r.Shown += next.Shown

	r.LostFrames += next.LostFrames
	r.LostBetween += next.LostBetween
	r.Gaps = append(r.Gaps, next.Gaps[:min(len(next.Gaps), maxListed-len(r.Gaps))]...)
	r.DamagedBytes += next.DamagedBytes
	r.Damages = append(r.Damages, next.Damages[:min(len(next.Damages), maxListed-len(r.Damages))]...)
	r.DamagedCount += next.DamagedCount
	r.Unreadable += next.Unreadable

	r.DroppedStrings += next.DroppedStrings
	r.NotRecorded += next.NotRecorded
	r.Unknown += next.Unknown
	r.Misfits += next.Misfits
	r.Uncertain += next.Uncertain

	r.Held += next.Held
	r.Changes = append(r.Changes, next.Changes[:min(len(next.Changes), maxListed-len(r.Changes))]...)
	r.Restarts += next.Restarts
	r.Repeated += next.Repeated
	r.Discords += next.Discords
	r.timings = append(r.timings, next.timings[:min(len(next.timings), maxListed-len(r.timings))]...)
	r.clockRestarts += next.clockRestarts
	r.NoTime += next.NoTime
	r.Overlaid += next.Overlaid
}

// Write writes the report for people, a line each that begins with the name of
// the file; nothing if there is nothing to tell.
func (r *Report) Write(w io.Writer, file string) error {
	file = Printable(file)
	var b strings.Builder
	line := func(n int64, one, many string) {
		if n == 1 {
			fmt.Fprintf(&b, "%s: %s\n", file, one)
		} else if n > 1 {
			fmt.Fprintf(&b, "%s: %d %s\n", file, n, many)
		}
	}

	for _, d := range r.Damages {
		fmt.Fprintf(&b, "%s: bytes %d to %d are damaged: %s", file, d.Offset, d.Offset+d.Len, d.Reason)
		if d.Records > 0 {
			fmt.Fprintf(&b, "; records in them that may be right: %d (--damaged shows them)", d.Records)
		}
		b.WriteByte('\n')
	}

	line(r.DamagedCount-int64(len(r.Damages)), "1 more damaged range", "more damaged ranges")
	for _, g := range r.Gaps {
		fmt.Fprintf(&b, "%s: frames lost before byte %d: %d; the sequence goes from %d to %d\n", file, g.Offset, g.To-g.From, g.From-1, g.To)
	}
	if listed := r.listedFrames(); listed < r.LostFrames {
		fmt.Fprintf(&b, "%s: frames lost in later gaps: %d\n", file, r.LostFrames-listed)
	}

	for _, t := range r.timings {
		fmt.Fprintf(&b, "%s: %s\n", file, t)
	}
	line(r.Repeated+r.Discords+r.LostBetween+r.clockRestarts-int64(len(r.timings)), "1 more note about its clock", "more notes about its clock")
	line(r.Unreadable, "1 record cannot be read", "records cannot be read")
	line(r.DroppedStrings, "1 string was too long for the device to keep", "strings were too long for the device to keep")
	line(r.NotRecorded, "1 argument was not recorded by the device", "arguments were not recorded by the device")
	line(r.Unknown, "1 record has a format that no firmware file holds", "records have formats that no firmware file holds")
	line(r.Misfits, "1 record does not fit its format", "records do not fit their formats")
	for _, change := range r.Changes {
		fmt.Fprintf(&b, "%s: %s\n", file, change)
	}

	line(r.Held, "1 byte of a log that is not whole yet is left", "bytes of a log that is not whole yet are left")
	line(r.Uncertain, "1 value is uncertain and has a mark, as in 5?", "values are uncertain and have a mark, as in 5?")
	line(r.NoTime, "1 record has no time and was left out", "records have no time and were left out")
	line(r.Restarts-r.clockRestarts, "the device restarted or repeated frames once", "times the device restarted or repeated frames")
	line(r.Overlaid, "1 record fits several strings at its address, which overlays of the firmware have; the first is shown",
		"records fit several strings at their address, which overlays of the firmware have; the first is shown")
	line(r.Ambiguous, "1 record reads differently in another build that fits as well", "records read differently in another build that fits as well")
	if len(r.Tied) > 1 {
		names := make([]string, len(r.Tied))
		for i, name := range r.Tied {
			names[i] = Printable(name)
		}
		fmt.Fprintf(&b, "%s: builds that fit equally: %s\n", file, strings.Join(names, ", "))
	}

	_, err := io.WriteString(w, b.String())
	return err
}

// listedFrames counts the lost frames of the gaps that are listed.
func (r *Report) listedFrames() int64 {
	n := int64(0)
	for _, g := range r.Gaps {
		n += int64(g.To - g.From)
	}
	return n
}
