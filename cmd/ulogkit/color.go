package main

import (
	"fmt"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"
)

// colorFlag is the flag --color of the commands that have colours.
type colorFlag string

func (c *colorFlag) add(flags *pflag.FlagSet) {
	flags.StringVar((*string)(c), "color", "auto", "colours: `auto` (on a terminal, without NO_COLOR), always or never")
}

// wanted reports whether there shall be colours. The flag comes first, then what the
// environment forces, then what it forbids.
func (c colorFlag) wanted() (bool, error) {
	switch c {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
	default:
		return false, fmt.Errorf("--color %q: not auto, always or never", string(c))
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true, nil
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("CLICOLOR") != "0" && os.Getenv("TERM") != "dumb" && onTerminal(), nil
}

// onTerminal reports whether results go to a terminal.
func onTerminal() bool {
	fd := os.Stdout.Fd()
	return isatty.IsTerminal(fd) || isatty.IsCygwinTerminal(fd)
}
