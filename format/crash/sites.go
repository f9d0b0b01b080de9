package crash

import (
	"cmp"
	"slices"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// callSites is the calls that the compiler tells to debuggers. They stand for the
// bytes of the code where the file has not got those.
type callSites struct {
	calls []firmware.Call  // by the address behind them
	whole []firmware.Range // by address; all calls in them are told
}

func (fw *Firmware) readSites() *callSites {
	named := map[string]uint32{}
	for _, f := range fw.functions {
		named[f.Name] = f.Addr
	}
	s := &callSites{}
	s.calls, s.whole = fw.debug.Calls(func(name string) uint32 { return named[name] })
	return s
}

// told reports whether all calls of the code at an address are told.
func (s *callSites) told(addr uint32) bool {
	i, found := slices.BinarySearchFunc(s.whole, addr, func(r firmware.Range, addr uint32) int { return cmp.Compare(r.Begin, addr) })
	if !found {
		i--
	}
	return i >= 0 && addr < s.whole[i].End
}

// before returns the call that is before a return address, or nil.
func (s *callSites) before(ret uint32) *firmware.Call {
	for _, c := range s.within(extent{ret &^ 1, ret&^1 + 1}) {
		if !c.Jump {
			return &c
		}
	}
	return nil
}

// canReturn reports whether a call may be before an address of code.
func (s *callSites) canReturn(ret uint32) bool {
	return !s.told(ret&^1-1) || s.before(ret) != nil
}

// within returns the calls whose addresses behind them are in an extent.
func (s *callSites) within(e extent) []firmware.Call {
	at := func(addr uint32) int {
		i, _ := slices.BinarySearchFunc(s.calls, addr, func(c firmware.Call, addr uint32) int { return cmp.Compare(c.Return, addr) })
		return i
	}
	return s.calls[at(e.begin):at(e.end)]
}

// exits returns the jumps out of a function.
func (s *callSites) exits(f extent) (e exits) {
	e.unsure = !s.told(f.begin)
	for _, c := range s.within(extent{f.begin + 1, f.end + 1}) {
		switch {
		case !c.Jump:
			e.calls = true
		case c.Target == 0 || len(e.jumps) >= 2*maxPassed:
			e.unsure = true
		default:
			e.jumps = append(e.jumps, jump{c.Return, c.Target})
		}
	}
	return e
}
