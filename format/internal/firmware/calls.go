package firmware

import (
	"cmp"
	"slices"
	"strings"
)

// Call is a call, or a jump at the end of a function, as the compiler tells it
// to debuggers.
type Call struct {
	Return uint32 // address behind it
	Target uint32 // of the function that is called; 0 if that is not known before it runs
	Jump   bool   // no return to Return
}

// Range is the addresses from Begin to before End.
type Range struct{ Begin, End uint32 }

// target is an entry that a call refers to.
type target struct {
	data *byte // of the section that the entry is in
	at   uint32
}

// Calls returns the calls that the debug information tells, by Return, and whole,
// by Begin, the code of which it tells all. ByName returns the address of a
// function in another unit, or 0.
//
// Source: DWARF 5, section 3.4; GNU's attributes in earlier versions.
func (d *Debug) Calls(byName func(string) uint32) (calls []Call, whole []Range) {
	if d == nil {
		return nil, nil
	}

	look := d.prepared()
	places := map[target]uint32{} // of functions, by their entries
	names := map[target]string{}
	var origins []target // of calls
	for _, u := range look.units {
		x, root, c, ok := look.context(&look.data, u)
		if !ok {
			continue
		}
		clang := strings.Contains(x.text(root.producer), "clang")
		if x, c, ok = look.body(&x, &root, c); !ok || len(x.data.info) == 0 {
			continue
		}

		var e entry
		returns, known := false, len(whole)
		for len(c.B) > 0 {
			self := target{&x.data.info[0], x.unit.end - uint32(len(c.B))}
			is, ok := look.read(&c, &x, &e)
			if !ok {
				break
			}

			switch {
			case !is:
			case e.tag == tagSubprogram:
				low, ok := x.address(e.low)
				if !ok || low == 0 {
					break
				}
				places[self] = low &^ 1
				if other, at, ok := look.origin(&x, &e); ok {
					places[target{&other.data.info[0], at}] = low &^ 1
				}
				if e.allCalls {
					look.cover(&x, &e, func(low, high uint32) { whole = append(whole, Range{low, high}) })
				}
			case e.tag == tagCall || e.tag == tagGNUCall:
				ret, ok := x.behind(&e)
				if !ok {
					break
				}
				returns = returns || !e.tail
				var to target
				if other, at, ok := look.origin(&x, &e); ok {
					to = target{&other.data.info[0], at}
					if _, ok := names[to]; !ok {
						name, linkage := look.names(&x, &entry{origin: e.origin}, 0)
						names[to] = cmp.Or(linkage, name)
					}
				}
				calls, origins = append(calls, Call{Return: ret &^ 1, Jump: e.tail}), append(origins, to)
			}
		}

		if clang && !returns { // says of Thumb code that all calls are told, and tells jumps alone
			whole = whole[:known]
		}
	}

	for i, to := range origins {
		if to == (target{}) {
			continue
		}
		if calls[i].Target = places[to]; calls[i].Target == 0 {
			calls[i].Target = byName(names[to])
		}
	}

	slices.SortFunc(calls, func(a, b Call) int { return cmp.Compare(a.Return, b.Return) })
	slices.SortFunc(whole, func(a, b Range) int { return cmp.Compare(a.Begin, b.Begin) })
	return calls, whole
}

// behind returns the address behind a call.
func (x *context) behind(e *entry) (uint32, bool) {
	if ret, ok := x.address(e.callReturn); ok {
		return ret, true
	}
	if at, ok := x.address(e.callPC); ok { // of a jump: clang tells its own address
		return at&^1 + 2, true
	}
	return x.address(e.low) // GNU's
}
