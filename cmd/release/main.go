// Command release builds what a release holds: an archive for each system, packages
// for Debian and Red Hat, a bill of materials for each and the checksums of all.
//
//	go run ./cmd/release                          all of it, into build/release
//	go run ./cmd/release -targets linux/amd64     for some systems only
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

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: go run ./cmd/release [-o DIR] [-targets OS/ARCH,...] [-packages=false] [-sbom=false], or -notices [-check]; from the top of the module")
		flags.PrintDefaults()
	}
	var (
		dir      = flags.String("o", filepath.Join("build", "release"), "write into `DIR`, which must be empty or not there")
		targets  = flags.String("targets", strings.Join(targetNames(), ","), "build for these systems")
		packages = flags.Bool("packages", true, "make deb and rpm packages of what is built for Linux")
		cache    = flags.String("cache", "", "build the program with the cache of Go in `DIR`, to see that nothing of another is in it")
		sbom     = flags.Bool("sbom", true, "write a bill of materials of each binary, in CycloneDX")
		notices  = flags.Bool("notices", false, "write the licences of others instead")
		check    = flags.Bool("check", false, "with -notices: fail unless they are current")
	)
	if flags.Parse(args) != nil {
		return 2
	}
	if flags.NArg() > 0 || *check && !*notices {
		flags.Usage()
		return 2
	}

	if *notices {
		if err := writeNotices(ctx, noticesFile, *check); err != nil {
			fmt.Fprintln(stderr, "release:", err)
			return 1
		}
		return 0
	}

	chosen, err := parseTargets(*targets)
	if err != nil {
		fmt.Fprintln(stderr, "release:", err)
		return 2
	}
	r := release{dir: *dir, targets: chosen, packages: *packages, sbom: *sbom, cache: *cache, log: stdout}
	if err := r.build(ctx); err != nil {
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
