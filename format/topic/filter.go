package topic

import (
	"fmt"
	"strings"
)

const share = "$share/"

// Shared returns the filter of a shared subscription: the broker gives each
// message to one of those who subscribe with the same group.
func Shared(group, filter string) (string, error) {
	if err := Check(group); err != nil {
		return "", fmt.Errorf("share name: %w", err)
	}
	return share + group + "/" + filter, nil
}

// CutShared takes the group off the filter of a shared subscription. Any other
// filter is returned as it is, with an empty group.
func CutShared(filter string) (group, rest string) {
	after, ok := strings.CutPrefix(filter, share)
	if !ok {
		return "", filter
	}
	group, rest, _ = strings.Cut(after, "/")
	return group, rest
}

// FilterCustomer returns the one customer whose topics a filter can match, or
// false if it can match those of several, or other topics.
func FilterCustomer(filter string) (string, bool) {
	_, filter = CutShared(filter)
	kind, start, rest, ok := findWord(filter)
	if !ok || strings.Contains(filter[:start], Any) {
		return "", false
	}
	customer, rest, _ := cutLevel(rest)
	if kind == FirmwareReply && customer == firmware {
		customer, _, _ = cutLevel(rest)
	}
	if Check(customer) != nil {
		return "", false
	}
	return customer, true
}
