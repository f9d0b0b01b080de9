package main

import (
	"bytes"
	_ "embed"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// bashPrelude stands in for the bash-completion package.
//
//go:embed completion.bash
var bashPrelude string

// bashCompletion writes a script that works with and without the bash-completion
// package, which the one that cobra writes needs.
func bashCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenBashCompletionV2(&script, true); err != nil {
		return err
	}
	own := strings.NewReplacer("_get_comp_words_by_ref", "__ulogkit_words", "_filedir", "__ulogkit_filedir")
	_, err := io.WriteString(out, bashPrelude+own.Replace(script.String()))
	return err
}

// noFilter is where the script that cobra writes for fish gives up on files of a kind and
// offers all, and fishFilter offers those of the kind.
const (
	noFilter = `        __ulogkit_debug "File extension filtering or directory filtering not supported"
        # Do full file completion instead
        return 1
`
	fishFilter = `        set -l ends $__ulogkit_comp_results
        set -l begun (commandline -ct | string replace -r '^--[^=]*=' '')
        set --global __ulogkit_comp_results
        for name in $begun*
            if test -d $name
                set -a __ulogkit_comp_results $name/
                continue
            end
            for end in $ends
                if test $filefilter -eq 1; and string match -q -- "*.$end" $name
                    set -a __ulogkit_comp_results $name
                end
            end
        end
        return 0
`
)

// fishCompletion writes a script that offers folders, and files by the ends of their
// names, where cobra's offers all files.
func fishCompletion(root *cobra.Command, out io.Writer) error {
	var script bytes.Buffer
	if err := root.GenFishCompletion(&script, true); err != nil {
		return err
	}
	_, err := io.WriteString(out, strings.Replace(script.String(), noFilter, fishFilter, 1))
	return err
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish|powershell",
		Short:     "Write the completion script of a shell",
		Example:   "  source <(ulogkit completion bash)\n  ulogkit completion fish > ~/.config/fish/completions/ulogkit.fish",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return fishCompletion(root, out)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return bashCompletion(root, out)
		},
	}
}
