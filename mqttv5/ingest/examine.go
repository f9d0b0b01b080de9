package ingest

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// keyer computes keys without allocating.
type keyer struct {
	hash hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

func newKeyer() *keyer { return &keyer{hash: sha256.New(), text: make([]byte, 0, 512)} }

// key returns the key of a message. A record id alone would not do: a gateway
// whose ids begin anew, or one that lies, would make others' messages vanish as
// copies. So only equal bytes are copies. What has an id is compared without the
// session token, since a gateway that registers anew sends the same record with
// another token; what has none, with it, since devices of one firmware can boot
// into equal logs.
func (k *keyer) key(kind Kind, topic, id string, payload []byte) Key {
	k.text = append(k.text[:0], topic...)
	k.text = append(k.text, 0)
	k.text = append(k.text, id...)
	k.text = append(k.text, 0)
	k.hash.Reset()
	k.hash.Write(k.text)
	if id != "" && kind == KindLog {
		var before []byte
		before, payload = format.AroundSessionToken(payload)
		k.hash.Write(before)
	}
	k.hash.Write(payload)
	return Key(k.hash.Sum(k.sum[:0])[:len(Key{})])
}

// randomKey returns the key of a message that has no copies.
func randomKey() (k Key) {
	rand.Read(k[:])
	return k
}

// check returns why a payload is not what its kind says, down to the last
// argument or memory region; nil for one that is. Bytes that belong to no frame
// and follow the last one of a log are no reason: newer devices write some. A message
// that has no times of its own, like a heartbeat, is untimed: its sender means the same
// bytes anew.
func check(kind Kind, b []byte) (untimed bool, err error) {
	switch kind {
	case KindLog:
		err := format.CheckLog(b)
		if err != nil && onlyTrailing(err) && !anotherLog(b) {
			return false, nil
		}
		return false, err
	case KindCoreDump:
		return false, format.CheckCoreDump(b)
	case KindTextLog:
		_, err := ParseTextLog(b)
		return false, err
	case KindMetrics:
		return checkReport(telemetry.KindMetrics, b)
	case KindEvents:
		return checkReport(telemetry.KindEvents, b)
	}
	return false, errKind
}

func checkReport(kind telemetry.Kind, b []byte) (untimed bool, err error) {
	report, err := telemetry.Parse(kind, b)
	return err == nil && !report.Timed(), err
}

var errKind = errors.New("topic is none that devices upload to")

// onlyTrailing reports whether bytes that are left over are all that is wrong.
func onlyTrailing(err error) bool {
	e := (*format.CheckError)(nil)
	return errors.As(err, &e) && e.Trailing > 0
}

// anotherLog reports whether what follows the log b is one too, of which nobody
// would read the records.
func anotherLog(b []byte) bool {
	_, rest, err := format.ParseLog(b)
	if err != nil {
		return false
	}
	next, _, err := format.ParseLog(rest)
	return err == nil && next.Verify() == nil
}

// missing counts the frames that are missing between those of a log, where they
// are numbered.
func missing(b []byte) (n int) {
	l, _, err := format.ParseLog(b)
	if err != nil || !l.FramesNumbered() {
		return 0
	}
	frames := l.Frames()
	for last, first := uint16(0), true; frames.Next(); first = false {
		next := frames.Frame().Sequence
		if !first {
			n += gap(last, next)
		}
		last = next
	}
	return n
}

// gap returns how many frames are missing between two sequence numbers, which
// wrap at 65536. A step backwards is a frame that came twice, after a reset
// (FORMAT section 2), and not 65,000 lost ones.
func gap(last, next uint16) int {
	step := next - last
	if step == 0 || step >= 1<<15 {
		return 0
	}
	return int(step) - 1
}
