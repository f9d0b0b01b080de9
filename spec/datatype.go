package spec

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// dataType reads a type reference or a switch; ok is false after a mistake.
func (r typeReader) dataType(v value) (t DataType, ok bool) {
	if v.Kind == yaml.MappingNode {
		return r.switchType(v)
	}

	t.Pos = v.pos()
	if t.Name, ok = r.scalar(v); !ok {
		return t, false
	}

	switch t.Name {
	case "str", "strz":
		if t.Kind = Text; t.Name == "strz" {
			t.Kind = TextNUL
		}
		if r.encoding == "" {
			r.errorf(v.pos(), v.path, "%s without encoding; set meta.encoding to UTF-8 or ASCII", t.Name)
		}
		return t, r.encoding != ""
	}

	if m := builtin.FindStringSubmatch(t.Name); m != nil {
		return t, r.number(&t, v, m)
	}
	pos := r.place(v)
	name, args, bad := parseCall(t.Name, pos)
	if bad != nil {
		r.errorf(pos(bad.at), v.path, "%s", bad.reason)
		return t, false
	}
	t.Kind, t.Name, t.Args = User, name, args
	return t, true
}

// number completes t from the submatches of builtin.
func (r typeReader) number(t *DataType, v value, m []string) bool {
	if m[6] != "" {
		n, err := strconv.Atoi(m[6])
		if err != nil || n < 1 || n > 64 {
			r.errorf(v.pos(), v.path, "a bit field has 1 to 64 bits")
			return false
		}
		t.Kind, t.Width = Bits, n
		return true
	}

	t.Kind, t.Signed = Int, m[1] == "s"
	digits := m[2]
	if m[3] != "" {
		t.Kind, digits = Float, m[4]
	}

	t.Width = int(digits[0] - '0')
	endian := m[5]
	switch {
	case t.Width == 1 && endian != "":
		r.errorf(v.pos(), v.path, "one byte has no endianness; write %s", quote(m[1]+"1"))
		return false
	case endian == "":
		endian = r.endian
	}

	if endian == "" && t.Width > 1 {
		r.errorf(v.pos(), v.path, "%s without endianness; set meta.endian to le or be", t.Name)
		return false
	}
	t.BigEndian = t.Width > 1 && endian == "be"
	return true
}

// switchType reads a type that depends on a value.
func (r typeReader) switchType(v value) (t DataType, ok bool) {
	t = DataType{Pos: v.pos(), Kind: Switch}
	m, ok := r.mapping(v, "switch-on", "cases")
	if !ok {
		return t, false
	}

	for _, key := range []string{"switch-on", "cases"} {
		if _, has := m[key]; !has {
			r.errorf(v.pos(), v.path, "no %s; a type that depends on a value has switch-on: and cases:", key)
			return t, false
		}
	}

	if t.On = r.expr(m["switch-on"].value); t.On == nil {
		return t, false
	}
	ok = true
	cases := r.entries(m["cases"].value)
	if len(cases) == 0 {
		r.errorf(m["cases"].pos(), m["cases"].path, "no cases")
		return t, false
	}

	var other *Case
	for _, e := range cases {
		key := value{e.key, e.path}
		c := Case{}
		if c.Value = r.expr(key); c.Value == nil {
			ok = false
			continue
		}
		if e.Kind == yaml.MappingNode {
			r.errorf(e.pos(), e.path, "a switch within a switch; give it a type of its own")
			ok = false
			continue
		}

		var good bool
		if c.Type, good = r.dataType(e.value); !good {
			ok = false
			continue
		}
		if _, isSelf := c.Value.(*Self); isSelf {
			c.Value, other = nil, &c
			continue
		}
		t.Cases = append(t.Cases, c)
	}

	if other != nil {
		t.Cases = append(t.Cases, *other)
	}
	return t, ok
}
