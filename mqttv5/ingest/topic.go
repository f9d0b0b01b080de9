package ingest

import (
	"fmt"
	"strings"

	"github.com/ulogkit/ulogkit/format/topic"
)

// topicKind tells what is published under a name, with any prefix: what devices
// upload is stored, anything else is not known here.
func topicKind(name string) Kind {
	t, _ := topic.Parse(name)
	switch t.Kind {
	case topic.Log:
		return KindLog
	case topic.CoreDump:
		return KindCoreDump
	case topic.TextLog:
		return KindTextLog
	case topic.Metrics:
		return KindMetrics
	case topic.Events:
		return KindEvents
	}
	return KindUnknown
}

// optional reports whether a worker goes on when the broker does not let it subscribe
// to a kind that nobody has named: policies were written when there was none of it.
func (k Kind) optional() bool { return k == KindTextLog || k == KindMetrics || k == KindEvents }

// AllKinds are the kinds that devices upload.
func AllKinds() []Kind { return []Kind{KindLog, KindCoreDump, KindTextLog, KindMetrics, KindEvents} }

// ParseKind reads the name of a kind.
func ParseKind(name string) (Kind, error) {
	for _, k := range AllKinds() {
		if k.String() == name {
			return k, nil
		}
	}
	return KindUnknown, fmt.Errorf("%q is no kind of uploads; they are %v", name, AllKinds())
}

// filters returns the filters for uploads of some kinds of a customer: with and without
// a group, or those of one group. Each topic matches one of them. Of text logs, metrics
// and events one filter takes both forms, since brokers take maxFilters in a packet.
func filters(prefix, customer, group string, kinds []Kind) (out []string, err error) {
	for _, kind := range kinds {
		t := topic.Topic[string]{Prefix: prefix, Customer: customer, Group: group, Application: topic.Any}
		groups := []string{group}
		switch kind {
		case KindLog, KindCoreDump:
			if t.Kind = topic.Log; kind == KindCoreDump {
				t.Kind, t.Application = topic.CoreDump, ""
			}
			if group == "" {
				groups = []string{"", topic.Any}
			}
		case KindTextLog:
			t.Kind = topic.TextLog
		case KindMetrics:
			t.Kind = topic.Metrics
		case KindEvents:
			t.Kind = topic.Events
		default:
			return nil, fmt.Errorf("kind %v is nothing that devices upload", kind)
		}

		for _, t.Group = range groups {
			f, err := t.Filter()
			if err != nil {
				return nil, fmt.Errorf("topics of the account: %w", err)
			}
			if kind.optional() && group == "" {
				f = strings.TrimSuffix(f, topic.Any) + "#"
			}
			out = append(out, f)
		}
	}
	return out, nil
}

// shared returns the filters as the workers of a group subscribe to them.
func shared(group string, filters []string) ([]string, error) {
	out := make([]string, len(filters))
	for i, f := range filters {
		var err error
		if out[i], err = topic.Shared(group, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}
