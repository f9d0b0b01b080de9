package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// workflow is what of a file of GitHub Actions is looked at.
type workflow struct {
	On struct {
		Push struct {
			Tags []string `yaml:"tags"`
		} `yaml:"push"`
		Manually any `yaml:"workflow_dispatch"`
	} `yaml:"on"`
	Jobs map[string]struct {
		Needs       string            `yaml:"needs"`
		RunsOn      string            `yaml:"runs-on"`
		Permissions map[string]string `yaml:"permissions"`
		Steps       []struct {
			Uses string            `yaml:"uses"`
			Run  string            `yaml:"run"`
			If   string            `yaml:"if"`
			With map[string]string `yaml:"with"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

// The release workflow is what GitHub reads, calls .ci/run before anything is released,
// and the release command with flags that it has; what is attested and published is what
// that writes.
func TestWorkflowChecksBeforeItReleases(t *testing.T) {
	top := filepath.Join("..", "..")
	b, err := os.ReadFile(filepath.Join(top, ".github", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.On.Push.Tags, []string{"v*"}) || w.Jobs["release"].Needs != "check" {
		t.Errorf("got a run for the tags %q and a release that needs %q, want v* alone and check", w.On.Push.Tags, w.Jobs["release"].Needs)
	}

	commands, actions := map[string]string{}, map[string]map[string]string{}
	for name, job := range w.Jobs {
		if job.RunsOn == "" || len(job.Steps) == 0 {
			t.Errorf("job %s: got runner %q and %d steps, want a runner and some steps", name, job.RunsOn, len(job.Steps))
		}
		for _, step := range job.Steps {
			if (step.Run == "") == (step.Uses == "") {
				t.Errorf("a step of %s runs %q and uses %q, want one of them", name, step.Run, step.Uses)
			}
			commands[name] += step.Run + "\n"
			action, version, _ := strings.Cut(step.Uses, "@")
			if step.Uses != "" && !regexp.MustCompile(`^v\d+$`).MatchString(version) {
				t.Errorf("%s: got action %q, want one with a major version such as @v1", name, step.Uses)
			}
			actions[action] = step.With
			// The only thing that others see happens for a tag alone.
			if strings.Contains(step.Run, "gh release create") && step.If != "startsWith(github.ref, 'refs/tags/')" {
				t.Errorf("got a release if %q, want one for tags alone, startsWith(github.ref, 'refs/tags/')", step.If)
			}
		}
	}
	script := regexp.MustCompile(`bash (\.ci/\S+)`).FindStringSubmatch(commands["check"])
	if script == nil || script[1] != ".ci/run" {
		t.Errorf("got the check %q, want bash .ci/run", commands["check"])
	} else if info, err := os.Stat(filepath.Join(top, script[1])); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("%s: got error %v, want a file that can be executed", script[1], err)
	}

	line := regexp.MustCompile(`(?m)^go run ./cmd/release(.*)$`).FindStringSubmatch(commands["release"])
	if line == nil {
		t.Fatalf("got the commands %q, want go run ./cmd/release among them", commands["release"])
	}
	flags, options := newFlags(io.Discard)
	if err := flags.Parse(strings.Fields(line[1])); err != nil || flags.NArg() > 0 {
		t.Fatalf("%q: got error %v and the arguments %q, want neither", line[1], err, flags.Args())
	}
	if !options.packages || !options.sbom || options.notices || options.types || options.targets != strings.Join(targetNames(), ",") {
		t.Errorf("%q: got %+v, want packages and sbom, neither notices nor types, and the targets %s",
			line[1], options, strings.Join(targetNames(), ","))
	}
	dir := filepath.ToSlash(options.dir)
	for what, text := range map[string]string{
		"the check of the sums": commands["release"],
		"what is published":     commands["release"],
		"what is attested":      actions["actions/attest-build-provenance"]["subject-checksums"],
		"what is kept":          actions["actions/upload-artifact"]["path"],
	} {
		if !strings.Contains(text, dir) {
			t.Errorf("%s: got %q, want %s in it", what, text, dir)
		}
	}
	if p := w.Jobs["release"].Permissions; p["id-token"] != "write" || p["attestations"] != "write" || p["contents"] != "write" {
		t.Errorf("got the permissions %v, want id-token, attestations and contents: write", p)
	}
}
