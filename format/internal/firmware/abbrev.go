package firmware

// abbreviation says which attributes an entry of the debug information has.
//
// Source: DWARF 5, section 7.5.3.
type abbreviation struct {
	tag      uint64
	children bool
	attrs    []attribute
}

type attribute struct {
	name, form uint64
	constant   int64 // of DW_FORM_implicit_const
}

// abbreviations are those of one unit: by their code, which mostly counts from
// 1.
type abbreviations struct {
	dense  []abbreviation
	sparse map[uint64]abbreviation
}

func (t *abbreviations) get(code uint64) *abbreviation {
	if code > 0 && code <= uint64(len(t.dense)) {
		return &t.dense[code-1]
	}
	if a, ok := t.sparse[code]; ok {
		return &a
	}
	return nil
}

// readAbbreviations reads the table at the beginning of b, and returns how many
// bytes it has.
func readAbbreviations(b []byte) (t *abbreviations, size int) {
	t = &abbreviations{}
	c := Cursor{B: b}
	for {
		code := c.Uleb()
		if code == 0 || c.Bad {
			return t, len(b) - len(c.B)
		}

		a := abbreviation{tag: c.Uleb(), children: c.U8() != 0}
		for {
			at := attribute{name: c.Uleb(), form: c.Uleb()}
			if at.form == formImplicitConst {
				at.constant = c.Sleb()
			}
			if c.Bad || at.name == 0 && at.form == 0 {
				break
			}
			a.attrs = append(a.attrs, at)
		}

		switch {
		case c.Bad:
			return t, len(b)
		case code == uint64(len(t.dense))+1:
			t.dense = append(t.dense, a)
		default:
			if t.sparse == nil {
				t.sparse = map[uint64]abbreviation{}
			}
			t.sparse[code] = a
		}
	}
}
