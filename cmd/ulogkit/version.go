package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// notices are the licences of what the program is made of; "go run ./cmd/release
// -notices" writes them.
//
//go:embed notices.txt
var notices string

// build says what a program was built from. Go writes it into each binary.
type build struct {
	Version  string     `json:"version"`            // "v1.2.3", of the tag; "(devel)" where Go knows none
	Commit   string     `json:"commit,omitempty"`   // hash
	Time     *time.Time `json:"time,omitempty"`     // of the commit
	Modified bool       `json:"modified,omitempty"` // the tree differed from the commit
	Go       string     `json:"go"`
	OS       string     `json:"os"`
	Arch     string     `json:"arch"`
}

// readBuild reads what the program says of itself.
func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}

	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				b.Time = &t
			}
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	text := "ulogkit version " + b.Version
	if b.Commit != "" {
		text += ", commit " + b.Commit[:min(12, len(b.Commit))]
	}
	if b.Modified {
		text += " and changes"
	}
	return fmt.Sprintf("%s, %s, %s/%s", text, b.Go, b.OS, b.Arch)
}

func newVersion() *cobra.Command {
	var asJSON, showNotices bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and what the program was built from",
		Long: `version prints the version, the commit, the Go version and the system that this
program was built from and for.

--json prints it as one object: version, go, os and arch, and of a program that was
built from a clone also commit (its hash), time (of the commit) and modified (true
if the tree differed from it).
--notices prints the licences of the code of others that the program holds.`,
		Example: "  ulogkit version --json | jq -r .version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			switch {
			case showNotices:
				_, err := fmt.Fprint(out, notices)
				return err
			case asJSON:
				return json.NewEncoder(out).Encode(readBuild())
			}
			_, err := fmt.Fprintln(out, readBuild())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&showNotices, "notices", false, "print the licences of what the program is made of")
	cmd.MarkFlagsMutuallyExclusive("json", "notices")
	return cmd
}
