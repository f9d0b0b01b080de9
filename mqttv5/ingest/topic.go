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

// filters returns the filters for all uploads of a customer: with and without a
// group, or those of one group. Each topic matches one of them. Of text logs, metrics
// and events one filter takes both forms, since brokers take maxFilters in a packet.
func filters(prefix, customer, group string) ([]string, error) {
	groups := []string{"", topic.Any}
	if group != "" {
		groups = []string{group}
	}
	var out []string
	for _, t := range [...]topic.Topic[string]{
		{Kind: topic.Log, Prefix: prefix, Customer: customer, Application: topic.Any},
		{Kind: topic.CoreDump, Prefix: prefix, Customer: customer},
	} {
		for _, t.Group = range groups {
			f, err := t.Filter()
			if err != nil {
				return nil, fmt.Errorf("field Connection: %w", err)
			}
			out = append(out, f)
		}
	}
	for _, kind := range [...]topic.Kind{topic.TextLog, topic.Metrics, topic.Events} {
		t := topic.Topic[string]{Kind: kind, Prefix: prefix, Customer: customer, Group: group, Application: topic.Any}
		f, err := t.Filter()
		if err != nil {
			return nil, fmt.Errorf("field Connection: %w", err)
		}
		if group == "" {
			f = strings.TrimSuffix(f, topic.Any) + "#"
		}
		out = append(out, f)
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
