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
