package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The tools that are not part of the module, at the versions that releases are made with.
const (
	nfpm      = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"
	cyclonedx = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"
)

// release is one build of all that is released.
type release struct {
	dir            string
	targets        []target
	packages, sbom bool
	cache          string // of Go; "" is that of the user
	log            io.Writer

	version string // of the commit, without the v: "1.2.3"
	time    time.Time
	scratch string // what goes into the archives; not released
}

// build builds the program for each target, packs it, and writes the sums of all files.
func (r *release) build(ctx context.Context) (err error) {
	if entries, err := os.ReadDir(r.dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty; a release is built into an empty folder", r.dir)
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	if r.scratch, err = os.MkdirTemp("", "ulogkit-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.scratch)

	// The tool of this machine writes the pages and scripts that all archives hold.
	host := filepath.Join(r.scratch, "host")
	if err := r.goBuild(ctx, target{os: runtime.GOOS, arch: runtime.GOARCH}, host); err != nil {
		return err
	}
	if r.version, r.time, err = stamp(host); err != nil {
		return err
	}
	shared, err := r.shared(ctx, host)
	if err != nil {
		return err
	}

	for _, t := range r.targets {
		if err := r.buildTarget(ctx, t, shared); err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
	}
	return r.sums()
}

// buildTarget builds the binary of one system and all that is released of it.
func (r *release) buildTarget(ctx context.Context, t target, shared []member) error {
	name := fmt.Sprintf("ulogkit_%s_%s", r.version, strings.ReplaceAll(t.String(), "/", "_"))
	binary := filepath.Join(r.scratch, name, "ulogkit")
	if t.os == "windows" {
		binary += ".exe"
	}
	if err := r.goBuild(ctx, t, binary); err != nil {
		return err
	}

	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	members := append([]member{{name: filepath.Base(binary), mode: 0o755, content: program}}, shared...)
	archive, write := filepath.Join(r.dir, name+".tar.gz"), writeTar
	if t.os == "windows" {
		archive, write = filepath.Join(r.dir, name+".zip"), writeZip
	}
	if err := write(archive, name, members, r.time); err != nil {
		return err
	}

	if r.sbom {
		out := filepath.Join(r.dir, name+".cdx.json")
		if err := r.tool(ctx, nil, cyclonedx, "bin", "-json", "-std", "-noserial", "-notimestamp", "-version", "v"+r.version, "-output", out, binary); err != nil {
			return err
		}
	}
	if r.packages && t.deb != "" {
		if err := r.pack(ctx, t, filepath.Dir(binary), shared); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.log, "%v: %s\n", t, filepath.Base(archive))
	return nil
}

// goBuild builds the program. Nothing of the machine is in it: no path, no C, and the
// commit that it was built from, which says the version.
func (r *release) goBuild(ctx context.Context, t target, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", out, "./cmd/ulogkit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOARM="+t.arm, "GOFLAGS=", "GOAMD64=v1", "GOEXPERIMENT=")
	if r.cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+r.cache)
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}

// stamp returns the version and the time of the commit that a binary was built from.
func stamp(binary string) (version string, committed time.Time, err error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", time.Time{}, err
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.time":
			if committed, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return "", time.Time{}, err
			}
		case s.Key == "vcs.modified" && s.Value == "true":
			return "", time.Time{}, errors.New("the tree differs from its commit, so that nobody could build the same release again; commit first")
		}
	}
	if committed.IsZero() || !strings.HasPrefix(info.Main.Version, "v") {
		return "", time.Time{}, fmt.Errorf("the binary names no commit and version (%q); build from a clone, with git", info.Main.Version)
	}
	return strings.TrimPrefix(info.Main.Version, "v"), committed.UTC(), nil
}

// shared returns what the archives of all systems hold.
func (r *release) shared(ctx context.Context, host string) (members []member, err error) {
	for _, name := range []string{"README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", noticesFile} {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: filepath.Base(name), mode: 0o644, content: b})
	}

	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script, err := exec.CommandContext(ctx, host, "completion", shell).Output()
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: "completion/ulogkit." + shell, mode: 0o644, content: script})
	}

	pages := filepath.Join(r.scratch, "man")
	man := exec.CommandContext(ctx, host, "man", pages)
	man.Stderr = r.log
	if err := man.Run(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(pages, e.Name()))
		if err != nil {
			return nil, err
		}
		members = append(members, member{name: "man/" + e.Name(), mode: 0o644, content: b})
	}
	return members, nil
}

// pack makes a deb and an rpm of what is in dir.
func (r *release) pack(ctx context.Context, t target, dir string, shared []member) error {
	for _, m := range shared {
		path := filepath.Join(dir, filepath.FromSlash(m.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}

		content := m.content
		if strings.HasPrefix(m.name, "man/") {
			path += ".gz"
			content = compressed(content)
		}

		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}

	for _, p := range []struct{ kind, arch, file string }{
		{"deb", t.deb, fmt.Sprintf("ulogkit_%s_%s.deb", r.version, t.deb)},
		{"rpm", t.rpm, fmt.Sprintf("ulogkit-%s.%s.rpm", strings.ReplaceAll(r.version, "-", "_"), t.rpm)},
	} {
		env := []string{"VERSION=" + r.version, "ARCH=" + p.arch, "DIR=" + dir, fmt.Sprint("SOURCE_DATE_EPOCH=", r.time.Unix())}
		if err := r.tool(ctx, env, nfpm, "package", "--config", ".release/nfpm.yaml", "--packager", p.kind, "--target", filepath.Join(r.dir, p.file)); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a program of another module at its own version.
func (r *release) tool(ctx context.Context, env []string, module string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", module}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", module, err, text)
	}
	return nil
}

// sums writes SHA256SUMS, which sha256sum -c reads.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(r.dir, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(b), e.Name()))
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(r.dir, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}
