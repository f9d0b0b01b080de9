package ingest

import "strings"

// topicKind tells what is published to a topic. With a group, one segment follows
// the customer:
//
//	binlog/v0/CUSTOMER[/GROUP]/APPLICATION
//	core-dump/v0/CUSTOMER[/GROUP]
//
// Source: FORMAT section 5.
func topicKind(topic string) Kind {
	if rest, ok := strings.CutPrefix(topic, "binlog/v0/"); ok {
		if n := strings.Count(rest, "/"); n == 1 || n == 2 {
			return KindLog
		}
	}
	if rest, ok := strings.CutPrefix(topic, "core-dump/v0/"); ok {
		if n := strings.Count(rest, "/"); n <= 1 {
			return KindCoreDump
		}
	}
	return KindUnknown
}

// filters returns the filters for all uploads of a customer: with and without a
// group, or those of one group. Each topic matches one of them.
func filters(customer, group string) []string {
	if group != "" {
		prefix := customer + "/" + group
		return []string{"binlog/v0/" + prefix + "/+", "core-dump/v0/" + prefix}
	}
	return []string{
		"binlog/v0/" + customer + "/+", "binlog/v0/" + customer + "/+/+",
		"core-dump/v0/" + customer, "core-dump/v0/" + customer + "/+",
	}
}
