package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/settings"
)

// complete gives a page that cobra has written what it leaves out, and writes flags as
// paragraphs with tags, where cobra writes tabs.
func complete(page string, cmd *cobra.Command, date time.Time) string {
	page = strings.Replace(page, `"`+date.Format("Jan 2006")+`"`, `"`+date.Format(time.DateOnly)+`"`, 1)
	page = strings.Replace(page, ".SH EXAMPLE\n", ".SH EXAMPLES\n", 1)

	var out []string
	for line := range strings.SplitSeq(page, "\n") {
		if text, ok := strings.CutPrefix(line, "\t"); ok {
			tag := len(out) - 1
			if tag > 0 && out[tag-1] == ".PP" {
				out[tag-1] = ".TP"
			} else {
				out = append(out[:tag], ".TP", out[tag])
			}
			line = text
		}
		out = append(out, line)
	}
	page = strings.Join(out, "\n")

	more := section("EXIT STATUS", [][2]string{
		{"0", "All is done."},
		{"1", "The data is bad or something was lost; what and how much is on standard error."},
		{"2", "Wrong usage. Nothing was done."},
		{"3", "The network or the server refused, or credentials cannot be used."},
	}) + section("ENVIRONMENT", environment(cmd)) + section("FILES", usedFiles(cmd))
	if before, after, ok := strings.Cut(page, ".SH EXAMPLES\n"); ok {
		return before + more + ".SH EXAMPLES\n" + after
	}
	return page + more
}

// section returns a section of tags and texts, and none of no tags.
func section(title string, entries [][2]string) string {
	if len(entries) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".SH %s\n", title)
	for _, e := range entries {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fP\n%s\n", roffText(e[0]), roffText(e[1]))
	}
	return b.String() + "\n"
}

// roffText returns a text in which roff finds nothing of its own.
func roffText(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace(text)
}

// environment returns the variables that change what a command does.
func environment(cmd *cobra.Command) (entries [][2]string) {
	for _, name := range settings.Variables(cmd.Flags()) {
		flag := settings.Flag(name)
		entries = append(entries, [2]string{name, "The value of --" + flag + ", unless the command line has one."})
	}
	if len(entries) > 0 {
		entries = append(entries,
			[2]string{"HTTPS_PROXY, ALL_PROXY, NO_PROXY", "The proxy to the broker, unless --proxy is given, and the hosts that need none."},
			[2]string{"XDG_CONFIG_HOME, XDG_STATE_HOME, HOME", "Where the files below are."},
		)
	}
	return append(entries,
		[2]string{"NO_COLOR", "No colours if it is not empty, unless --color=always is given."},
		[2]string{"CLICOLOR_FORCE", "Colours also where standard output is no terminal, if it is neither empty nor 0."},
	)
}

// usedFiles returns the files that a command reads or keeps without being told.
func usedFiles(cmd *cobra.Command) (entries [][2]string) {
	if cmd.Flags().Lookup("config") != nil {
		entries = append(entries, [2]string{"~/.config/ulogkit/config", "Settings: \"name = value\" a line, with the names of the flags. --config and ULOGKIT_CONFIG name another file."})
	}
	if cmd.Flags().Lookup("store") != nil && cmd.Name() != "decode" { // which looks into a file that is named
		entries = append(entries, [2]string{"~/.local/state/ulogkit/session_tokens.json", "The session tokens of devices, mode 0600. --store names another file."})
	}
	if cmd.Flags().Lookup("outbox") != nil {
		entries = append(entries, [2]string{"DIR/outbox.db", "The records of an outbox, in the folder that --outbox names."})
	}
	if cmd.Name() == "gateway" {
		entries = append(entries, [2]string{"/usr/lib/systemd/system/ulogkit-gateway.service", "The unit that runs a gateway with /etc/ulogkit/gateway.conf, where a package has installed it."})
	}
	return entries
}
