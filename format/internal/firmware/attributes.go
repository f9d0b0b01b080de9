package firmware

// Arch is the version of the architecture that code was built for.
type Arch uint8

// Architectures without the registers that tell a fault.
const (
	ArchV6M  Arch = 11 // Cortex-M0, M0+, M1
	ArchV6SM Arch = 12 // the same, with what an operating system needs
)

// Arch returns what the code was built for, or 0 if the file does not say.
//
// Source: ABI for the Arm architecture, addenda: build attributes, 2.2 and 3.3.5.
func (f *File) Arch() Arch {
	const most, version, wholeFile, tagArch = 64 << 10, 'A', 1, 6
	s := f.Section(".ARM.attributes", most)
	if s == nil {
		return 0
	}
	b, err := f.Read(s)
	if err != nil {
		return 0
	}

	c := Cursor{B: b}
	if c.U8() != version {
		return 0
	}

	for len(c.B) > 0 {
		vendor := Cursor{B: c.Take(int64(c.U32()) - 4)}
		if string(vendor.text()) != "aeabi" {
			continue
		}
		if vendor.U8() != wholeFile {
			return 0
		}

		tags := Cursor{B: vendor.Take(int64(vendor.U32()) - 5)}
		for len(tags.B) > 0 {
			tag := tags.Uleb()
			if tag == tagArch {
				return Arch(tags.Uleb())
			}
			tags.skipValue(tag)
		}
	}
	return 0
}

// skipValue reads over the value of a build attribute.
func (c *Cursor) skipValue(tag uint64) {
	const nameRaw, name, compatibility = 4, 5, 32
	switch {
	case tag == compatibility:
		c.Uleb()
		c.text()
	case tag == nameRaw, tag == name, tag > compatibility && tag%2 == 1:
		c.text()
	default:
		c.Uleb()
	}
}
