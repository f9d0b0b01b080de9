package main

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fatih/color"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/drawing"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// picture compares a picture with its file, or writes it.
func picture(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: got another picture than the code draws, want the same (error %v): run \"make pictures\" and look at it", name, err)
	}
}

// colourful runs a command of the program and returns what it prints on a terminal
// with colours.
func colourful(t *testing.T, args ...string) string {
	t.Helper()
	before := color.NoColor
	color.NoColor = false
	defer func() { color.NoColor = before }()

	cmd, _, err := newRoot().Find(args)
	if err != nil {
		t.Fatal(err)
	}
	if cmd.Flags().Lookup("color") != nil {
		args = append(args, "--color", "always")
	}
	var out, told bytes.Buffer
	program := newRoot()
	program.SetOut(&out)
	program.SetErr(&told)
	if code := run(t.Context(), program, args); code != 0 || told.Len() > 0 {
		t.Fatalf("%v: got exit code %d and %q on stderr, want 0 and nothing", args, code, &told)
	}
	return out.String()
}

// The first picture of README.md is what decode and crash print.
func TestPictureOfDecodeAndCrashIsWhatTheyPrint(t *testing.T) {
	dumps, err := filepath.Abs("../../format/crash/testdata/dumps")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for from, to := range map[string]string{"firmware.elf": "firmware.elf", "03.bin": "crash.bin"} {
		b, err := os.ReadFile(filepath.Join(dumps, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	colourful(t, "dictionary", "--sample", "-o", "fw.json")
	colourful(t, "sample", "--frames", "12", "-o", "log.bin")
	var shown []drawing.Command
	for _, line := range []string{"decode --elf fw.json log.bin", "crash --elf firmware.elf crash.bin"} {
		shown = append(shown, drawing.Command{Line: "ulogkit " + line, Output: colourful(t, strings.Fields(line)...)})
	}
	svg, err := drawing.Terminal("a log and a crash dump, as ulogkit shows them", shown)
	if err != nil {
		t.Fatal(err)
	}

	t.Chdir(filepath.Join(dumps, "../../../../cmd/ulogkit"))
	picture(t, "cmd/ulogkit/pictures/terminal.svg", svg)
}

// library is what stands before the name of a library.
var library = regexp.MustCompile(`^.*/`)

// The picture of the rooms has a box for each row of the import table, but for tests and
// what is internal to a room, and an arrow for each import that no other way leads to.
func TestPictureOfRoomsIsTheImportTable(t *testing.T) {
	rooms := map[string]rule{"cmd/ulogkit": {}}
	for _, r := range importTable {
		inner := strings.Contains(r.dir, "internal/") && r.dir != "mqttv5/internal/link"
		if !inner && !strings.HasSuffix(r.dir, "test") && r.dir != "bench" && r.dir != "fuzz" {
			rooms[r.dir] = r
		}
	}
	below := func(dir string) []string {
		var dirs []string
		for other := range rooms {
			if other != dir && (dir == "cmd/ulogkit" && other != "gen" && other != "spec" || slices.Contains(rooms[dir].allowed, other)) {
				dirs = append(dirs, other)
			}
		}
		slices.Sort(dirs)
		return dirs
	}
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(below(from), func(dir string) bool { return dir == to || reaches(dir, to) })
	}

	var boxes []drawing.Box
	var arrows []drawing.Arrow
	depth := map[string]int{}
	var deepen func(dir string, row int)
	deepen = func(dir string, row int) {
		depth[dir] = max(depth[dir], row)
		for _, other := range below(dir) {
			deepen(other, row+1)
		}
	}
	deepen("cmd/ulogkit", 0)
	deepen("gen", 0) // another program
	names := make([]string, 0, len(rooms))
	for dir := range rooms {
		names = append(names, dir)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b)) })
	for _, dir := range names {
		b := drawing.Box{Name: dir, Row: depth[dir]}
		for _, path := range rooms[dir].allowed {
			if strings.Contains(path, ".") {
				b.Lines = append(b.Lines, library.ReplaceAllString(path, ""))
			}
		}
		boxes = append(boxes, b)
		for _, other := range below(dir) {
			if !slices.ContainsFunc(below(dir), func(between string) bool { return reaches(between, other) }) {
				arrows = append(arrows, drawing.Arrow{From: dir, To: other})
			}
		}
	}
	svg, err := drawing.Boxes("the rooms of ulogkit, and which of them know which", boxes, arrows)
	if err != nil {
		t.Fatal(err)
	}
	picture(t, "cmd/ulogkit/pictures/rooms.svg", svg)
}

// The picture of the way of a record has the steps of the outbox's own table.
func TestPictureOfStatesHasTheOutboxsSteps(t *testing.T) {
	states := []drawing.State{
		{Name: string(outbox.StateOffered)},
		{Name: string(outbox.StateWaiting), Column: 1},
		{Name: string(outbox.StateInFlight), Column: 2},
		{Name: string(outbox.StateDelivered), Column: 3},
		{Name: string(outbox.StateDamaged), Row: 1},
		{Name: string(outbox.StateParked), Column: 2, Row: 1},
		{Name: string(outbox.StateDropped), Column: 1, Row: 2},
	}
	var steps []drawing.Step
	for _, s := range outbox.Steps() {
		steps = append(steps, drawing.Step{From: string(s.From), To: string(s.To), Label: s.By})
	}
	svg, err := drawing.Machine("the way of a record: from Submit to Done, and what can happen between", states, steps)
	if err != nil {
		t.Fatal(err)
	}
	picture(t, "mqttv5/outbox/states.svg", svg)
}
