package settings

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// Explain puts what pflag says of a value that does not fit its flag into words
// for people. It returns any other error as it is.
func Explain(err error) error {
	bad := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &bad) {
		return err
	}

	var wanted string
	switch kind := bad.GetFlag().Value.Type(); {
	case kind == "bool":
		wanted = "true or false"
	case kind == "duration":
		wanted = "a time such as 15s or 2m"
	case strings.HasPrefix(kind, "float"):
		wanted = "a number"
	case strings.HasPrefix(kind, "uint"):
		wanted = "a whole number from 0 on"
	case strings.HasPrefix(kind, "int"):
		wanted = "a whole number"
	default:
		return err
	}
	if errors.Is(err, strconv.ErrRange) {
		wanted += ", or too large"
	}
	return fmt.Errorf("--%s %q is not %s", bad.GetFlag().Name, bad.GetValue(), wanted)
}

// protocol is a version of MQTT.
type protocol string

// Set implements pflag.Value.
func (p *protocol) Set(s string) error {
	switch s {
	case "5", "5.0":
		*p = "5"
		return nil
	case "3.1", "3.1.1", "3", "4": // by name, and as they are called on the wire
		return errors.New("ulogkit speaks MQTT 5 alone: what a broker of an older version acknowledges it may have refused, or had for nobody, and a record would be taken for delivered; " +
			"a Go program can lend a connection of MQTT 3.1.1 to package mqttv5, by mqttv5/lent/paho311")
	}
	return errors.New("want 5")
}

// String implements pflag.Value.
func (p *protocol) String() string { return string(*p) }

// Type implements pflag.Value.
func (p *protocol) Type() string { return "version" }

// limit is a rate; 0 is the default of the broker and negative is no limit.
type limit float64

// Set implements pflag.Value.
func (l *limit) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0) || v > 1e12 {
		return errors.New("want a number of at least 0")
	}
	if v == 0 {
		v = -1
	}
	*l = limit(v)
	return nil
}

// String implements pflag.Value.
func (l *limit) String() string {
	switch {
	case *l == 0:
		return ""
	case *l < 0:
		return "0"
	}
	return strconv.FormatFloat(float64(*l), 'g', -1, 64)
}

// Type implements pflag.Value.
func (l *limit) Type() string { return "number" }
