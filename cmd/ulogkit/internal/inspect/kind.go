package inspect

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/crash"
)

// Kind returns what the command line calls what the bytes are, damaged or not.
func Kind(b []byte) string {
	switch format.Recognize(b) {
	case format.ContentLog:
		return KindLog
	case format.ContentCoreDump, format.ContentBareDump:
		return KindCoreDump
	case format.ContentELF:
		return KindELF
	}
	return KindUnknown
}

// Check returns nil for a good log or crash dump that has all its frames, or what is
// wrong.
func Check(b []byte) error {
	switch Kind(b) {
	case KindLog:
		if err := CheckLog(b); err != nil {
			return err
		}
		_, err := lostFrames(b)
		return err
	case KindCoreDump:
		return checkDump(b)
	case KindELF:
		return Other(b, "a log or a crash dump")
	}
	if len(b) == 0 {
		return format.CheckLog(b)
	}
	if other := Other(b, "a log or a crash dump"); other != nil {
		return other
	}
	return fmt.Errorf("neither a crash dump nor a log of a known version: %w", format.CheckLog(b))
}

// lostFrames counts the frames that are missing between others of a log, by the jumps
// of their numbers, and says where the first are. A device that restarts counts from
// 0, and can send frames again.
func lostFrames(b []byte) (n int, err error) {
	l, _, bad := format.ParseLog(b)
	if bad != nil || !l.FramesNumbered() {
		return 0, nil
	}
	frames, next, seen := l.Frames(), uint16(0), false
	for f := range frames.All() {
		if ahead := f.Sequence - next; seen && f.Sequence != 0 && ahead != 0 && ahead < 1<<15 {
			if n += int(ahead); err == nil {
				err = fmt.Errorf("frames lost before byte %d: %d; the sequence goes from %d to %d", l.LenHeader()+int(f.Offset), ahead, next-1, f.Sequence)
			}
		}
		next, seen = f.Sequence+1, true
	}
	if n > 0 {
		err = fmt.Errorf("%w; %d in all", err, n)
	}
	return n, err
}

// checkDump is [format.CheckCoreDump], also for dumps without a header.
func checkDump(b []byte) error {
	if len(b) >= format.RecognizeSize && format.Recognize(b) != format.ContentBareDump {
		return format.CheckCoreDump(b)
	}
	d, err := crash.Read(b)
	if err == nil && len(d.Lost) > 0 {
		err = errors.New(d.Lost[0])
	}
	return err
}

// Other returns nil if the bytes may be what a command asks for, damaged or not,
// else what they are and which commands and flags take that.
func Other(b []byte, wanted string) error {
	is, takes := Recognize(b)
	return other(is, takes, wanted)
}

func other(is, takes, wanted string) error {
	if is == "" || is == wanted {
		return nil
	}
	return fmt.Errorf("is %s, not %s: %s", is, wanted, takes)
}

// CheckLog is [format.CheckLog] for a file that a person names: it knows what
// else the file can be.
func CheckLog(b []byte) error {
	err := format.CheckLog(b)
	if err == nil {
		return nil
	}
	if other := Other(b, ALog); other != nil {
		return other
	}
	if !errors.Is(err, format.ErrTrailing) {
		return err
	}
	_, rest, _ := format.ParseLog(b)
	if next, _, e := format.ParseLog(rest); e == nil && next.Verify() == nil {
		err = fmt.Errorf("%w; another log follows: \"ulogkit decode\" reads such files", err)
	}
	return err
}

// Dump is [crash.Read] for a file that a person names: it knows what else the file
// can be.
func Dump(b []byte) (*crash.Dump, error) {
	if len(b) == 0 {
		return nil, errors.New("no crash dump: ends too early: the input is empty")
	}
	d, err := crash.Read(b)
	if err != nil {
		return nil, cmp.Or(Other(b, ACrashDump), err)
	}
	return d, nil
}

// CheckText returns what a file is that is no text but what devices or commands write.
func CheckText(b []byte) error {
	switch is, _ := Recognize(b); is {
	case "", Text, ADictionary:
		return nil
	case ALog, ACrashDump: // a text may begin with the same byte
		_, _, noLog := format.ParseLog(b)
		_, _, noDump := format.ParseCoreDump(b)
		if noLog != nil && noDump != nil {
			return nil
		}
	}
	return Other(b, Text)
}
