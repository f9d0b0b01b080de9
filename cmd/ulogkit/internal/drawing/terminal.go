package drawing

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// Command is a command line and what it printed, with the escape sequences that
// colour it.
type Command struct {
	Line   string
	Output string
}

// inks are the classes of the escape sequences that programs here print; the empty
// one is the text's own. One that is not here is an error, not a guess.
var inks = map[string]string{
	"0": "", "1": "strong", "2": "quiet", "22": "", "39": "",
	"31": "red", "32": "green", "33": "yellow", "36": "cyan", "31;1": "red strong", "1;31": "red strong", "0;22": "", "0;22;0": "",
}

var escape = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// Terminal draws what a terminal shows after the commands.
func Terminal(title string, commands []Command) ([]byte, error) {
	const margin, bar = 16, 28
	var rows []string
	widest := 0.0
	for i, c := range commands {
		if i > 0 {
			rows = append(rows, "")
		}
		rows = append(rows, "\x1b[32m$\x1b[0m \x1b[1m"+c.Line+"\x1b[0m")
		rows = append(rows, strings.Split(strings.TrimRight(c.Output, "\n"), "\n")...)
	}
	for _, row := range rows {
		widest = max(widest, Width(escape.ReplaceAllString(row, "")))
	}

	p := New(widest+2*margin, bar+float64(len(rows))*Line+margin, title)
	p.Rect(1, 1, p.width-2, bar, "head")
	p.Text(margin, 19, "quiet", title)
	for i, row := range rows {
		if err := p.row(margin, bar+float64(i+1)*Line, row); err != nil {
			return nil, err
		}
	}
	return p.SVG(), nil
}

// row writes a line of a terminal, a text for each of its colours.
func (p *Picture) row(x, y float64, row string) error {
	class := ""
	for row != "" {
		at := escape.FindStringSubmatchIndex(row)
		if at == nil {
			p.Text(x, y, class, row)
			return nil
		}
		p.Text(x, y, class, row[:at[0]])
		x += Width(row[:at[0]])
		next, known := inks[cmp.Or(row[at[2]:at[3]], "0")]
		if !known {
			return fmt.Errorf("no ink for the escape sequence %q", row[at[0]:at[1]])
		}
		class, row = next, row[at[1]:]
	}
	return nil
}
