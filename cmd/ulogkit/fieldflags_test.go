package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// noFlags are fields that no command sets, so that nobody at the command line reads of
// them.
var noFlags = []string{
	"Certificate", "Lent", "Filters", "Kinds", "SessionExpiry", "MaxPayload", "Window", "Hooks.WrapConn",
	"Tuning.MaxInFlight", "Tuning.MaxMessage", "Tuning.MinBackoff", "Tuning.MaxBackoff",
}

// What errors and hints call a field has a flag, and no other word is one of a
// configuration: then the command line speaks of flags.
func TestErrorsSpeakOfFlags(t *testing.T) {
	for in, want := range map[string]string{
		"field Tuning.ClientID: it is empty":              "--client-id: it is empty",
		"give each worker a name of its own (field Name)": "give each worker a name of its own (--name)",
		"field Port 0 is not":                             "--broker 0 is not",
		"a field Nothing of ours, and field of corn":      "a field Nothing of ours, and field of corn",
		"/srv/CustomerID/Name":                            "/srv/CustomerID/Name",
	} {
		if got := asFlags(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}

	flags := map[string]bool{}
	for _, cmd := range newRoot().Commands() {
		for _, name := range fieldFlags {
			flags[name] = flags[name] || cmd.Flags().Lookup(strings.TrimPrefix(name, "--")) != nil
		}
	}
	for field, flag := range fieldFlags {
		if !flags[flag] {
			t.Errorf("%s: got no flag %s of any command, want it", field, flag)
		}
	}

	known := strings.Join(noFlags, " ")
	for name := range fieldFlags {
		known += " " + name
	}
	camel := regexp.MustCompile(`(^|[ (])(field )?((?:Tuning|Hooks)\.[A-Z]\w+|[A-Z][a-z]+[A-Z]\w*|Name|Broker|Group|Port)\b`)
	said := 0
	for _, literal := range literals(t, filepath.Join("..", "..", "mqttv5")) {
		if literal != "" && literal[0] >= 'A' && literal[0] <= 'Z' {
			continue // a name of MQTT's, or of an option
		}
		for _, m := range camel.FindAllStringSubmatch(literal, -1) {
			switch isField := strings.Contains(" "+known+" ", " "+m[3]+" "); {
			case m[2] != "" && !isField:
				t.Errorf("%q: got no flag that sets the field %s, want one in the list", literal, m[3])
			case m[2] == "" && isField && strings.Contains(literal, " ") && !strings.Contains(literal, ": value"):
				t.Errorf("%q: got %s, want \"field %s\", so that the command line can say its flag", literal, m[3], m[3])
			case m[2] != "":
				said++
			}
		}
	}
	if said < 10 {
		t.Errorf("got %d fields in errors, want at least 10", said)
	}
}

// literals returns the strings in the code below a folder, without tests.
func literals(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test"+string(os.PathSeparator)) {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					all = append(all, s)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return all
}
