package sample

import "github.com/ulogkit/ulogkit/format/dict"

// Dictionary returns what the ELF file of the simulated firmware would hold: its
// format strings and the names of its modules.
func Dictionary() (*dict.Dictionary, error) {
	d, err := dict.FromStrings(linked().formats)
	if err != nil {
		return nil, err
	}
	d.SetModules(map[uint8]string{moduleMain: "MAIN", moduleSensor: "SENSOR", moduleRadio: "RADIO", moduleStorage: "STORAGE", modulePower: "POWER"})
	return d, nil
}
