package inspect

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/ulogkit/ulogkit/format/crash"
)

// Firmware that cannot be that of a dump says nothing about it.
func TestFirmwareThatDoesNotFitIsNotUsed(t *testing.T) {
	formats := filepath.Join("..", "..", "..", "..", "format")
	dumps := filepath.Join(formats, "crash", "testdata", "dumps")
	b, err := os.ReadFile(filepath.Join(dumps, "01.bin"))
	if err != nil {
		t.Fatal(err)
	}

	without, err := Explain("x", b, nil)
	if err != nil {
		t.Fatal(err)
	}
	if without.FirmwareFits != nil || len(without.Backtrace) < 2 {
		t.Errorf("without firmware: %+v, want no FirmwareFits and len(Backtrace) at least 2", without)
	}

	for _, c := range []struct {
		elf  string
		fits bool
	}{
		{filepath.Join(formats, "dict", "testdata", "elf", "good", "sections.elf"), false},
		{filepath.Join(dumps, "firmware.elf"), true},
	} {
		fw, err := crash.Load(c.elf)
		if err != nil {
			t.Fatal(err)
		}
		row, err := Explain("x", b, []*crash.Firmware{fw})
		if err != nil || row.FirmwareFits == nil || *row.FirmwareFits != c.fits {
			t.Fatalf("%s: got %+v, error %v; want FirmwareFits %v", c.elf, row, err, c.fits)
		}
		row.FirmwareFits, row.ELF, row.Match, row.MatchReasons = nil, "", "", nil
		if same := reflect.DeepEqual(row, without); same == c.fits {
			t.Errorf("%s: got the same as without firmware: %v, want %v", c.elf, same, !c.fits)
		}
	}
}
