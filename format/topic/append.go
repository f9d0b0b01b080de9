package topic

import (
	"errors"
	"fmt"
)

// AppendTo appends the topic's name to dst. It refuses a topic that lacks a part,
// or a part of which would reach beyond its segment; dst is then returned as it
// was.
func (t Topic[S]) AppendTo(dst []byte) ([]byte, error) { return t.append(dst, false) }

// Name returns the topic's name, as AppendTo writes it.
func (t Topic[S]) Name() (string, error) {
	b, err := t.append(nil, false)
	return string(b), err
}

// Any in a field of a filter stands for whatever is published there.
const Any = "+"

// Filter returns the topic filter that matches the topics like this one, where a
// field that is Any matches all. A filter matches either topics with a group or
// topics without.
func (t Topic[S]) Filter() (string, error) {
	b, err := t.append(nil, true)
	return string(b), err
}

// append appends a name, or a filter, in which Any may stand for a field.
func (t Topic[S]) append(dst []byte, filter bool) ([]byte, error) {
	if t.Kind.word() == "" {
		return dst, errors.New("topic of no kind")
	}

	if f := prefixFlaw(t.Prefix); f.why != fit {
		return dst, fmt.Errorf("prefix of topic: %w", f)
	}
	if t.Kind == FirmwareReply && string(t.Customer) == firmware {
		return dst, fmt.Errorf("customer of topic: no customer is called %q", firmware)
	}

	b := append(dst, t.Prefix...)
	b = append(append(append(b, t.Kind.word()...), '/'), version...)
	if t.Kind == FirmwareRequest {
		b = append(append(b, '/'), firmware...)
	}

	application, last := t.Kind.tail()
	for _, f := range [...]struct {
		name  string
		value S
		in    bool
	}{
		{"customer", t.Customer, true},
		{"group", t.Group, len(t.Group) > 0},
		{"application", t.Application, application},
		{lastName(t.Kind), *t.last(), last},
	} {
		if !f.in {
			continue
		}
		if flaw := segmentFlaw(f.value); flaw.why != fit && !(filter && string(f.value) == Any) {
			return dst, fmt.Errorf("%s of topic: %w", f.name, flaw)
		}
		b = append(append(b, '/'), f.value...)
	}
	return b, nil
}

func lastName(k Kind) string {
	switch k {
	case FirmwareRequest:
		return "device type"
	case FirmwareReply:
		return "upload id"
	}
	return "serial"
}
