package settings

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Variables returns the environment variables that these flags can be set by, sorted.
// ULOGKIT_CONFIG is among them where there is a configuration file.
func Variables(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := settable[f.Name]; (ok || f.Name == "config") && flags.Lookup("config") != nil {
			names = append(names, variable(f.Name))
		}
	})
	slices.Sort(names)
	return names
}

// Flag returns the flag that an environment variable sets.
func Flag(variable string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, "ULOGKIT_"), "_", "-"))
}

// variable returns the environment variable of a flag.
func variable(flag string) string {
	return "ULOGKIT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
