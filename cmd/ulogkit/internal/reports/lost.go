package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// Exact reports whether a number keeps its value. A whole number of more than 53 bits
// may not: it is a 64-bit floating-point number on its way. Fractions are as near as
// these get.
func Exact(number string) bool {
	digits := strings.TrimLeft(strings.TrimLeft(strings.ReplaceAll(number, "_", ""), "+-"), "0")
	if strings.Trim(digits, "0123456789") != "" {
		return true
	}
	x, err := strconv.ParseFloat(digits, 64)
	return digits == "" || err == nil && strconv.FormatFloat(x, 'f', 0, 64) == digits
}

// lost tells what of a line does not get to the cloud, or not as it stands.
func lost(kind telemetry.Kind, members map[string]json.RawMessage) error {
	sample := []string{"name", "value", "timestamp"}
	if kind == telemetry.KindEvents {
		sample = []string{"type", "timestamp"}
	}
	device := []string{"device_serial", "app_id"}
	several, list := members[string(kind)]
	devices, batch := members["devices"]

	var all []error
	switch {
	case batch:
		all = append(all, unsent(members, "devices"))
		for _, m := range objects(devices) {
			all = append(all, lost(kind, m))
		}
	case list:
		all = append(all, unsent(members, append(device, string(kind))...))
		for _, m := range objects(several) {
			all = append(all, unsent(m, sample...), rounded(m))
		}
	default:
		all = append(all, unsent(members, append(device, sample...)...), rounded(members))
	}
	return errors.Join(all...)
}

// objects returns the members of each object in a list; whether it is one was looked at
// before.
func objects(list json.RawMessage) (all []map[string]json.RawMessage) {
	if json.Unmarshal(list, &all) != nil {
		return nil
	}
	return all
}

// unsent tells of members that the cloud has no place for.
func unsent(members map[string]json.RawMessage, known ...string) error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			names = append(names, strconv.Quote(name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s not sent: what is sent is %s", strings.Join(names, ", "), strings.Join(known, ", "))
}

// rounded tells of a value that is not sent as it stands.
func rounded(members map[string]json.RawMessage) error {
	number := string(members["value"])
	if Exact(number) {
		return nil
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return nil
	}
	return fmt.Errorf("the value %s was sent as %s, the nearest number of 53 bits", number, strconv.FormatFloat(x, 'f', 0, 64))
}
