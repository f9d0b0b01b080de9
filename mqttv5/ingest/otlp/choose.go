package otlp

import (
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/format/text/choose"
)

// maxDevices is how many devices' last builds are remembered.
const maxDevices = 1 << 16

// BestOf returns a function for Config.Dictionary that chooses by the records
// themselves, as "ulogkit decode" does: the dictionary that a log says least
// against, of several that of the device's log before, or nil if none fits. It is
// not safe for concurrent use.
func BestOf(dicts []Dictionary) func(Device, format.Log) Dictionary {
	builds, before := text.Builds(dicts), map[Device]Dictionary{}
	return func(d Device, l format.Log) Dictionary {
		choice, err := builds.Choose(choose.RecordsOf(l), before[d])
		if err != nil {
			return nil
		}
		if len(before) >= maxDevices {
			clear(before)
		}
		before[d] = choice.Dictionary
		return choice.Dictionary
	}
}
