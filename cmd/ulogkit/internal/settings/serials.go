package settings

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// KnownSerials returns the serial numbers of the token file that a command with these
// flags would use, for completion: what is wrong makes it return none.
func KnownSerials(flags *pflag.FlagSet, getenv func(string) string) (serials []string) {
	s := &Settings{}
	if f := flags.Lookup("config"); f != nil {
		s.config = f.Value.String()
	}
	s.Load(flags, getenv, func(error) {})
	f := flags.Lookup("store")
	if f == nil || f.Value.String() == NoStore {
		return nil
	}
	for key := range tokens.Known(f.Value.String()) {
		if !slices.Contains(serials, key.DeviceSerial) {
			serials = append(serials, key.DeviceSerial)
		}
	}
	return serials
}
