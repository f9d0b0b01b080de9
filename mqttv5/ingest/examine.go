package ingest

import (
	"crypto/sha256"
	"hash"

	"github.com/ulogkit/ulogkit/format"
)

// A log's session token is four bytes behind the version, in every known version
// (FORMAT section 1).
const (
	offToken = 1
	lenToken = 4
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
	if id != "" && kind == KindLog && len(payload) >= offToken+lenToken {
		k.hash.Write(payload[:offToken])
		payload = payload[offToken+lenToken:]
	}
	k.hash.Write(payload)
	return Key(k.hash.Sum(k.sum[:0])[:len(Key{})])
}

// intact reports whether a payload is what its kind says, down to the last
// argument or memory region. It agrees with format.CheckLog and
// format.CheckCoreDump, but allocates nothing. Where the frames are numbered it
// also counts those that are missing between them.
func intact(kind Kind, b []byte) (ok bool, missing int) {
	switch kind {
	case KindLog:
		return intactLog(b)
	case KindCoreDump:
		d, rest, err := format.ParseCoreDump(b)
		if err != nil || len(rest) > 0 || d.Verify() != nil {
			return false, 0
		}
		_, err = format.ParseCrashCatcher(d.Crash)
		return err == nil, 0
	}
	return false, 0
}

func intactLog(b []byte) (ok bool, missing int) {
	l, rest, err := format.ParseLog(b)
	if err != nil || len(rest) > 0 || l.Verify() != nil {
		return false, 0
	}
	numbered := l.FramesNumbered()
	frames := l.Frames()
	last, first := uint16(0), true
	for frames.Next() {
		f := frames.Frame()
		if _, err := format.ParsePayload(f.Payload); err != nil {
			return false, 0
		}
		if numbered {
			if !first {
				missing += gap(last, f.Sequence)
			}
			last, first = f.Sequence, false
		}
	}
	return frames.Err() == nil, missing
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

// reason tells what is wrong with a payload that is not intact.
func reason(kind Kind, b []byte) string {
	var err error
	switch kind {
	case KindLog:
		err = format.CheckLog(b)
	case KindCoreDump:
		err = format.CheckCoreDump(b)
	default:
		return "topic is neither that of a log nor of a crash dump"
	}
	if err == nil {
		return "not intact" // unreachable while the two agree, which a test holds
	}
	return err.Error()
}
