package topic

// Topic is a topic's name taken apart. Of what Parse returns, the fields alias the
// name. Which fields are in use depends on Kind; the others are empty.
type Topic[S ~string | ~[]byte] struct {
	Kind        Kind
	Prefix      S // what stands before the word: "", or whole levels such as "ulogger/"
	Customer    S
	Group       S // empty: no group segment
	Application S // decimal wherever it was seen; ApplicationID reads it
	Serial      S // of BootReply and LogConfig
	DeviceType  S // of FirmwareRequest
	UploadID    S // of FirmwareReply
}

// Limits in bytes. A topic without a prefix so fits the 256 bytes of AWS IoT Core.
const (
	MaxSegment = 64  // longest customer, group, application, serial, type or upload
	MaxPrefix  = 128 // longest prefix
)

// Parse takes the name of a topic apart. It returns false, and the zero Topic, for
// a name that is none of uLogger's.
func Parse[S ~string | ~[]byte](name S) (Topic[S], bool) {
	kind, start, rest, ok := findWord(name)
	if !ok {
		return Topic[S]{}, false
	}

	var segments [5]S
	n := 0
	for {
		if n == len(segments) {
			return Topic[S]{}, false
		}
		segment, after, more := cutLevel(rest)
		if segmentFlaw(segment).why != fit {
			return Topic[S]{}, false
		}
		segments[n], rest = segment, after
		n++
		if !more {
			break
		}
	}

	s := segments[:n]
	switch {
	case kind == FirmwareReply && string(s[0]) == firmware:
		kind, s = FirmwareRequest, s[1:]
	case kind == BootRequest && (n == 4 || n == 3 && !isNumber(s[2])):
		kind = BootReply
	}
	t := Topic[S]{Kind: kind, Prefix: name[:start]}
	if !t.set(s) || prefixFlaw(t.Prefix).why != fit {
		return Topic[S]{}, false
	}
	return t, true
}

// Reply returns the other reading of a boot topic with three segments, which
// Parse took for a request with a group: a reply without one, C/A/S. It returns
// false for every other topic.
func (t Topic[S]) Reply() (Topic[S], bool) {
	if t.Kind != BootRequest || len(t.Group) == 0 {
		return Topic[S]{}, false
	}
	var none S
	t.Kind, t.Group, t.Application, t.Serial = BootReply, none, t.Group, t.Application
	return t, true
}

// ApplicationID returns the application's number, or false if the topic has none
// or it is no number of 32 bits.
func (t Topic[S]) ApplicationID() (uint32, bool) {
	return number(t.Application)
}

// set puts the segments after word and version where they belong, by Kind and
// number.
func (t *Topic[S]) set(s []S) bool {
	application, last := t.Kind.tail()
	need := 1
	if application {
		need++
	}
	if last {
		need++
	}
	if len(s) != need && len(s) != need+1 {
		return false
	}

	t.Customer = s[0]
	if len(s) > need {
		t.Group = s[1]
	}

	if last {
		*t.last() = s[len(s)-1]
		s = s[:len(s)-1]
	}

	if application {
		t.Application = s[len(s)-1]
	}
	return true
}

// last returns the field that the last segment is, of a kind that has one beyond
// the application.
func (t *Topic[S]) last() *S {
	switch t.Kind {
	case FirmwareRequest:
		return &t.DeviceType
	case FirmwareReply:
		return &t.UploadID
	}
	return &t.Serial
}

// findWord finds the first word of a kind that the version follows, where it
// starts, and what stands after both.
func findWord[S ~string | ~[]byte](name S) (k Kind, start int, rest S, ok bool) {
	for {
		word, after, more := cutLevel(name[start:])
		if !more {
			return Unknown, 0, rest, false
		}
		if k = wordKind(word); k != Unknown {
			if v, path, more := cutLevel(after); more && string(v) == version {
				return k, start, path, true
			}
		}
		start += len(word) + 1
	}
}

// cutLevel cuts a name after its first level.
func cutLevel[S ~string | ~[]byte](s S) (level, rest S, more bool) {
	for i := range len(s) {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return s, s[len(s):], false
}

func isNumber[S ~string | ~[]byte](s S) bool {
	_, ok := number(s)
	return ok
}

// number reads a number of 32 bits as it is written in topics: decimal, without
// sign or leading zeros.
func number[S ~string | ~[]byte](s S) (uint32, bool) {
	if len(s) == 0 || len(s) > len("4294967295") || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + uint64(s[i]-'0')
	}
	return uint32(n), n < 1<<32
}
