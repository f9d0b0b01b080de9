// Command dashboard shows the files of bench/results.
//
//	go run ./bench/dashboard                  one page, build/dashboard.html
//	go run ./bench/dashboard -format=json     as github-action-benchmark keeps data
//	go run ./bench/dashboard -format=md       fill the tables in README.md and bench/README.md
//	go run ./bench/dashboard -check           are these tables the newest results'?
//	go run ./bench/dashboard -gate FILE       hold a results file against the promises
//	go run ./bench/dashboard -newest          hold the newest results against them
//
// The page needs no network and has no script. Everything in it comes from the
// results files: run it again and the bytes are the same.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/bench/internal/results"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// errFailed ends the command with exit code 1 after it has said why.
var errFailed = errors.New("failed")

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: go run ./bench/dashboard [-format html|json|md] [-o FILE] [-results DIR], or -check, or -gate FILE, or -newest; from the top of the module")
		flags.PrintDefaults()
	}
	dir := flags.String("results", "bench/results", "read results from `DIR`")
	format := flags.String("format", "html", "write html, json, or md")
	output := flags.String("o", "", "write to `FILE`; - is standard output (default build/dashboard.html, - for json, README.md and bench/README.md for md)")
	check := flags.Bool("check", false, "fail unless the tables in README.md and bench/README.md, or the one in -o, come from the newest results")
	gateFile := flags.String("gate", "", "hold the results in `FILE` against the promises, with tolerance")
	newest := flags.Bool("newest", false, "hold the newest results against the promises, without tolerance")
	if flags.Parse(args) != nil {
		return 2
	}

	var err error
	switch {
	case flags.NArg() > 0:
		flags.Usage()
		return 2
	case *gateFile != "":
		err = gateCommand(stdout, *dir, *gateFile)
	case *newest:
		err = newestCommand(stdout, *dir)
	case *check:
		err = checkTables(*dir, *output)
	case *format == "html":
		err = pageCommand(stdout, stderr, *dir, orDefault(*output, "build/dashboard.html"))
	case *format == "json":
		err = actionCommand(stdout, *dir, orDefault(*output, "-"))
	case *format == "md":
		err = writeTables(stdout, *dir, *output)
	default:
		fmt.Fprintf(stderr, "dashboard: no format %q; there are html, json and md\n", *format)
		return 2
	}
	if err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(stderr, "dashboard:", err)
		}
		return 1
	}
	return 0
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// pageCommand writes the page of all results to a file or, without a name, to stdout.
func pageCommand(stdout, stderr io.Writer, dir, output string) error {
	runs, err := results.Load(dir)
	if err != nil {
		return err
	}

	// The page names the files by their way from the page to them, so that
	// the links hold from file:// as long as both stay where they are.
	base := "."
	if output != "-" {
		base = filepath.Dir(output)
	}

	from, err := filepath.Abs(base)
	if err != nil {
		return err
	}

	to, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	way, err := filepath.Rel(from, to)
	if err != nil {
		return err
	}
	p, err := newPage(runs, func(file string) string { return filepath.ToSlash(filepath.Join(way, file)) })
	if err != nil {
		return err
	}
	data, err := p.render()
	if err != nil {
		return err
	}
	if err := writeOutput(stdout, output, data); err != nil {
		return err
	}

	if output != "-" {
		fmt.Fprintf(stderr, "dashboard: wrote %s, %d KB, from %d results files\n", output, len(data)/1000, len(runs))
	}
	return nil
}

// writeOutput writes the file in one step, or to standard output for "-".
func writeOutput(stdout io.Writer, path string, data []byte) error {
	if path == "-" {
		_, err := stdout.Write(data)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.ReplaceFile(path, data, 0o644)
}
