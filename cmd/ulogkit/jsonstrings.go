package main

import (
	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/bigints"
)

const jsonStrings = "json-strings"

// addBigIntegers gives each command that has --json the flag --json-strings.
func addBigIntegers(cmd *cobra.Command) {
	if cmd.Flags().Lookup("json") != nil {
		cmd.Flags().Bool(jsonStrings, false, "as --json, with integers beyond 2^53 as strings: jq before 1.7, JavaScript and spreadsheets round them as numbers")
	}
	for _, sub := range cmd.Commands() {
		addBigIntegers(sub)
	}
}

// writeBigIntegers does what --json-strings says, if it is given.
func writeBigIntegers(cmd *cobra.Command) {
	if given, err := cmd.Flags().GetBool(jsonStrings); err == nil && given {
		cmd.Flags().Set("json", "true")
		cmd.SetOut(bigints.NewWriter(cmd.OutOrStdout()))
	}
}
