package main

import (
	"fmt"
	"os"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"
)

// colorFlag is the flag --color of all commands.
type colorFlag string

func (c *colorFlag) add(flags *pflag.FlagSet) {
	flags.StringVar((*string)(c), "color", "auto", "colours: `auto` (on a terminal, without NO_COLOR), always or never")
}

// apply has what commands print follow the flag.
func (c colorFlag) apply() error {
	on, err := c.wanted()
	if color.NoColor = !on; on {
		os.Unsetenv("NO_COLOR") // by which the package makes each of its colours none
	}
	return err
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
