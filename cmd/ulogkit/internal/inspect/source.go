package inspect

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Source is the line of source code at which the processor stopped.
type Source struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// sourceOf reads the line of the first call that has one, if the file is where
// the compiler had it, or beside the firmware or below the current folder.
func sourceOf(row *Crash) *Source {
	const most = 8 << 20 // bytes that are read
	if len(row.Backtrace) == 0 || row.Backtrace[0].Line == nil {
		return nil
	}

	name, line := filepath.FromSlash(*row.Backtrace[0].File), *row.Backtrace[0].Line
	places := []string{name}
	if !filepath.IsAbs(name) && row.ELF != "" {
		places = append(places, filepath.Join(filepath.Dir(row.ELF), name))
	}

	for _, place := range places {
		if info, err := os.Stat(place); err != nil || !info.Mode().IsRegular() || info.Size() > most {
			continue
		}
		f, err := os.Open(place)
		if err != nil {
			continue
		}
		defer f.Close()

		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			if n == line {
				text := strings.TrimSpace(lines.Text())
				if text == "" || !utf8.ValidString(text) {
					return nil
				}
				return &Source{Line: line, Text: text}
			}
		}
	}
	return nil
}
