// Command release builds what a release holds: an archive for each system, packages
// for Debian and Red Hat, a bill of materials for each and the checksums of all.
//
//	go run ./cmd/release                          all of it, into build/release
//	go run ./cmd/release -targets linux/amd64     for some systems only
//	go run ./cmd/release -types                   does it compile for each of them?
//	go run ./cmd/release -notices                 write cmd/ulogkit/notices.txt anew
//	go run ./cmd/release -notices -check          is it current?
//
// The version and the time are those of the commit, which Go writes into each binary:
// the same commit, built with the same Go, is the same bytes, wherever it is built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the command line says.
type options struct {
	dir, targets, cache   string
	packages, sbom        bool
	types, notices, check bool
}

// newFlags returns the flags, and what they set.
func newFlags(stderr io.Writer) (*flag.FlagSet, *options) {
	flags, o := flag.NewFlagSet("release", flag.ContinueOnError), new(options)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: go run ./cmd/release [-o DIR] [-targets OS/ARCH,...] [-packages=false] [-sbom=false], -types [-targets OS/ARCH,...], or -notices [-check]; from the top of the module")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.dir, "o", filepath.Join("build", "release"), "write into `DIR`, which must be empty or not there")
	flags.StringVar(&o.targets, "targets", strings.Join(targetNames(), ","), "build for these systems")
	flags.BoolVar(&o.packages, "packages", true, "make deb and rpm packages of what is built for Linux")
	flags.StringVar(&o.cache, "cache", "", "build the program with the cache of Go in `DIR`, to see that nothing of another is in it")
	flags.BoolVar(&o.sbom, "sbom", true, "write a bill of materials of each binary, in CycloneDX")
	flags.BoolVar(&o.types, "types", false, "check the types of the program for these systems instead, which tells whether it compiles")
	flags.BoolVar(&o.notices, "notices", false, "write the licences of others instead")
	flags.BoolVar(&o.check, "check", false, "with -notices: fail unless they are current")
	return flags, o
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, o := newFlags(stderr)
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 || o.check && !o.notices || o.types && o.notices {
		flags.Usage()
		return 2
	}
	chosen, err := parseTargets(o.targets)
	if err != nil {
		fmt.Fprintln(stderr, "release:", err)
		return 2
	}

	switch {
	case o.notices:
		err = writeNotices(ctx, noticesFile, o.check)
	case o.types:
		err = checkTypes(ctx, chosen, stdout)
	default:
		r := release{dir: o.dir, targets: chosen, packages: o.packages, sbom: o.sbom, cache: o.cache, log: stdout}
		err = r.build(ctx)
	}
	if err != nil {
		fmt.Fprintln(stderr, "release:", err)
		return 1
	}
	return 0
}

// target is a system that there are releases for.
type target struct {
	os, arch string
	arm      string // GOARM, for arch "arm"
	deb, rpm string // what packages call the processor; "" makes none
}

func (t target) String() string {
	if t.arm != "" {
		return t.os + "/" + t.arch + "v" + t.arm
	}
	return t.os + "/" + t.arch
}

// allTargets are the systems of a release.
func allTargets() []target {
	return []target{
		{os: "linux", arch: "amd64", deb: "amd64", rpm: "x86_64"},
		{os: "linux", arch: "arm64", deb: "arm64", rpm: "aarch64"},
		{os: "linux", arch: "arm", arm: "7", deb: "armhf", rpm: "armv7hl"},
		{os: "darwin", arch: "amd64"},
		{os: "darwin", arch: "arm64"},
		{os: "windows", arch: "amd64"},
		{os: "freebsd", arch: "amd64"},
	}
}

func targetNames() (names []string) {
	for _, t := range allTargets() {
		names = append(names, t.String())
	}
	return names
}

func parseTargets(list string) (chosen []target, err error) {
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, t := range allTargets() {
			if t.String() == name {
				chosen, found = append(chosen, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no target %q; there are %s", name, strings.Join(targetNames(), ", "))
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no targets")
	}
	return chosen, nil
}
