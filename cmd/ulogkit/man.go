package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

func newMan() *cobra.Command {
	var force bool
	man := &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages of all commands into a directory",
		Long: `man writes a page for each command into DIR. Pages that it has written before are
replaced, other files are left alone unless --force is given.`,
		Example: "  ulogkit man ~/.local/share/man/man1 && man ulogkit-upload",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := manPages(cmd.Root(), args[0])
			if err != nil {
				return err
			}
			if err := durable.MakeDir(args[0], 0o755); err != nil {
				return err
			}

			for i := range pages {
				pages[i].out.Force = force
				if err := pages[i].out.Check(); err != nil {
					return err
				}
			}

			for _, p := range pages {
				if err := p.out.Write(p.text, nil); err != nil {
					return err
				}
			}

			return nil
		},
	}
	forceFlag(man, &force)
	return man
}

// manPage is one page and where it goes.
type manPage struct {
	out  files.Output
	text []byte
}

// manPages returns the pages of a command and of those below it.
func manPages(cmd *cobra.Command, dir string) (pages []manPage, err error) {
	page := *cmd // GenMan takes markdown, and the command keeps its text
	page.Long, page.DisableAutoGenTag = markdown(cmd.Long), true
	var b bytes.Buffer
	date := time.Now()
	if built := readBuild().Time; built != nil {
		date = *built
	}

	header := doc.GenManHeader{Section: "1", Date: &date, Manual: "ulogkit", Source: "ulogkit " + cmd.Root().Version}
	if err := doc.GenMan(&page, &header, &b); err != nil {
		return nil, err
	}

	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	pages = []manPage{{files.Output{Name: filepath.Join(dir, name), Mine: isManPage}, []byte(complete(b.String(), cmd, date))}}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		more, err := manPages(sub, dir)
		if err != nil {
			return nil, err
		}
		pages = append(pages, more...)
	}
	return pages, nil
}

// markdown returns a help text as markdown that has the same words: what markdown
// reads as its own is escaped, and indented lines are kept as they are.
func markdown(text string) string {
	var out strings.Builder
	indented := false
	for line := range strings.Lines(text) {
		if was := indented; strings.TrimSpace(line) != "" {
			if indented = strings.HasPrefix(line, "  "); indented != was {
				out.WriteByte('\n') // a block begins or ends
			}
		}
		switch {
		case indented:
			out.WriteString("    " + line)
		default:
			out.WriteString(escapeMarkdown.Replace(line))
		}
	}
	return out.String()
}

var escapeMarkdown = strings.NewReplacer(`\`, `\\`, `<`, `\<`, `>`, `\>`, `*`, `\*`, `_`, `\_`, "`", "\\`", `[`, `\[`, `]`, `\]`, `#`, `\#`)

// isManPage reports whether a file is a page of ours.
func isManPage(b []byte) bool {
	return bytes.Contains(b[:min(len(b), 200)], []byte(`.TH "ULOGKIT`))
}
