package otlp

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/format/text/choose"
)

// maxDevices is how many devices' last builds are remembered.
const maxDevices = 1 << 16

// Choice is a log's dictionary, nil if none is known, and how sure it is.
type Choice = choose.Choice

// ChooseFrom returns a function for Config.Choose that chooses by the records
// themselves, as "ulogkit decode" does: the dictionary that a log says least
// against, of several that of the device's log before, or none if none fits. It is
// not safe for concurrent use.
func ChooseFrom(dicts []Dictionary) func(Device, format.Log) Choice {
	builds, before := text.Builds(dicts), map[Device]Dictionary{}
	return func(d Device, l format.Log) Choice {
		choice, err := builds.Choose(choose.RecordsOf(l), before[d])
		if err != nil {
			return Choice{}
		}
		if len(before) >= maxDevices {
			clear(before)
		}
		before[d] = choice.Dictionary
		return choice
	}
}

// maxTies is how many groups of builds are named that fit equally.
const maxTies = 16

// ties names builds that fit equally, each group once.
type ties struct{ told map[string]bool }

func (t *ties) tell(c Choice, log *slog.Logger) {
	if len(c.Tied) < 2 || len(t.told) >= maxTies {
		return
	}
	group := strings.Join(slices.Sorted(slices.Values(c.Tied)), "\x00")
	if t.told[group] {
		return
	}
	if t.told == nil {
		t.told = map[string]bool{}
	}
	t.told[group] = true
	log.Warn("builds fit logs equally and read records differently; the first is taken", "builds", c.Tied)
}
