package otlp

import (
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
)

// Records of a log that are looked at to choose its dictionary.
const lookAt = 64

// BestOf returns a function for Config.Dictionary that chooses by the records
// themselves, since logs do not tell which firmware they are of: it returns the
// dictionary in which most of a log's records have a format string that fits their
// arguments, the first of several, or nil if none fits more than half of them. It
// is not safe for concurrent use.
func BestOf(dicts []Dictionary) func(Device, format.Log) Dictionary {
	var choices []*printfs
	for _, d := range dicts {
		choices = append(choices, &printfs{dict: d, parsed: map[uint32]*text.Template{}})
	}
	return func(_ Device, l format.Log) Dictionary {
		var best Dictionary
		most := 0
		for _, c := range choices {
			fit, n := 0, 0
			frames := l.Frames()
			for n < lookAt && frames.Next() {
				p, err := format.ParsePayload(frames.Frame().Payload)
				if err != nil {
					continue
				}
				n++
				if t := c.template(p.FmtAddr()); t != nil && t.Fits(p) {
					fit++
				}
			}
			if 2*fit > n && fit > most {
				best, most = c.dict, fit
			}
		}
		return best
	}
}
