package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// command runs the command and returns what it wrote.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

func makePage(t *testing.T, dir string) string {
	t.Helper()
	code, stdout, stderr := command(t, "-results", dir, "-o", "-")
	if code != 0 {
		t.Fatalf("exit code %d: %s, want 0", code, stderr)
	}
	return stdout
}

func TestPageShowsNewestRunAndFetchesNothing(t *testing.T) {
	dir := write(t, story...)
	page := makePage(t, dir)
	if again := makePage(t, dir); again != page {
		t.Errorf("a second run: got a page of %d bytes that differs from the first, of %d, want the same", len(again), len(page))
	}

	for _, want := range []string{
		"<b>Made Up 1</b>", "<b>go1.26.2</b>", "<code>ddddddd</code>", // where and what, in the head
		"bench: made up &lt;for&gt; &#34;tests&#34;", // a commit's subject cannot become markup
		"\u25b2 \u002b2", "\u25bc -", // marks of significant changes
		"On other processors.", "Made Up 2",
		"Since the run before", "MISSING", // size=16384 is not in the story
		"records/s", "Mframes/s",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("got a page without %q, want it there", want)
		}
	}

	// Nothing is fetched and nothing is run.
	for _, pattern := range []string{`<script`, `\son[a-z]+=`, `src=`, `url\(`, `@import`, `<link[^>]*href="[^d]`, `https?://`} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("got a page with %q, want nothing like %s", found, pattern)
		}
	}

	// Each picture is followed by its table and drawn in the page's inks alone.
	pictures := strings.Split(page, "<svg ")[1:]
	if len(pictures) != 11 { // five groups now, six cases through the runs
		t.Errorf("%d pictures, want 11", len(pictures))
	}

	for _, picture := range pictures {
		svg, rest, _ := strings.Cut(picture, "</svg>")
		if before, _, ok := strings.Cut(rest, "<table>"); !ok || strings.Contains(before, "</figure>") {
			t.Errorf("got a picture followed by %.80q, want its table in the same figure", rest)
		}
		if colour := regexp.MustCompile(`#[0-9A-Fa-f]{6}`).FindString(svg); colour != "" {
			t.Errorf("got a picture with the colour %s, want the page's inks alone", colour)
		}
	}

	for _, name := range inkNames {
		if !strings.Contains(page, "var(--"+name+")") {
			t.Errorf("got nothing drawn in ink %s, want something", name)
		}
		// Once for each theme.
		if n := strings.Count(page, "--"+name+": #"); n != 2 {
			t.Errorf("ink %s: got %d colours, want 2, one for each theme", name, n)
		}
	}
}

func TestPageSaysThatNothingChanged(t *testing.T) {
	// The fourth run has the figures of the second.
	page := makePage(t, write(t, story[:4]...))
	if !strings.Contains(page, "No significant change since 2026-02-05") {
		t.Error("got a page without \"No significant change since 2026-02-05\", want it there")
	}
}

// The bars are as long as the speeds, from zero.
func TestBarsAreProportional(t *testing.T) {
	bars := []bar{
		{name: "a", unit: unitRate, speed: results.Summary{Center: 8, Lo: 8, Hi: 8, N: 6}, ink: inkOurs},
		{name: "b", unit: unitRate, speed: results.Summary{Center: 2, Lo: 2, Hi: 2, N: 6}, ink: inkPeer},
	}

	svg, err := drawBars("label", "", bars)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[string]float64{}
	for _, m := range regexp.MustCompile(`d="M([0-9.]+),([0-9.]+)L([0-9.]+),([0-9.]+)L([0-9.]+),([0-9.]+)L([0-9.]+),([0-9.]+)Z"\s+style="fill:var\(--(\w+)\)`).FindAllStringSubmatch(string(svg), -1) {
		if m[1] != m[7] || m[3] != m[5] || m[2] != m[4] || m[6] != m[8] {
			t.Errorf("got %s, want a rectangle", m[0])
		}
		var from, to float64
		if json.Unmarshal([]byte(m[1]), &from) != nil || json.Unmarshal([]byte(m[3]), &to) != nil {
			t.Fatalf("got path %v, want numbers", m)
		}
		lengths[m[9]] = to - from
	}

	if r := lengths["ours"] / lengths["peer"]; r < 3.99 || r > 4.01 {
		t.Errorf("got bars with the lengths %v, want ours four times that of the peer\n%s", lengths, svg)
	}
}

// A page of a single run with a single row and a single pass is a page.
func TestOneRunIsEnoughForAPage(t *testing.T) {
	dir := t.TempDir()
	text := "date: 2026-01-01T00:00:00Z\ngo: go1.26.1\ncpu: c\nBenchmarkX 1 5 ns/op\n"
	if err := os.WriteFile(filepath.Join(dir, "x.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	page := makePage(t, dir)
	if !strings.Contains(page, "This is the first run") || !strings.Contains(page, "n&lt;6") || strings.Contains(page, "Inf") || strings.Contains(page, "NaN") {
		t.Errorf("got a page that lacks \"This is the first run\" or \"n&lt;6\", or shows Inf or NaN, want the first two alone:\n%s", page)
	}
}

func TestJSONHasEachRunOfEachMachine(t *testing.T) {
	code, stdout, stderr := command(t, "-results", write(t, story...), "-format=json")
	if code != 0 {
		t.Fatalf("exit code %d: %s, want 0", code, stderr)
	}
	var data actionData
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		t.Fatal(err)
	}

	if len(data.Entries) != 2 || len(data.Entries["ulogkit on Made Up 1, linux/amd64"]) != 4 || data.LastUpdate != 1775383200000 {
		t.Errorf("got %d suites, last update %d, want 2, 4 entries of the first machine, and 1775383200000", len(data.Entries), data.LastUpdate)
	}

	// As go test printed it, if not to the last digit.
	b := data.Entries["ulogkit on Made Up 2, linux/amd64"][0].Benches[0]
	if want := madeRows[0].ns / 0.7; b.Name != "BenchmarkChecksum/impl=format/size=1024" || b.Unit != "ns/op" || math.Abs(b.Value/want-1) > 0.1 {
		t.Errorf("first figure is %+v, want about %v", b, want)
	}

	for suite, entries := range data.Entries {
		for i, e := range entries {
			if e.Tool != "go" || e.Commit.ID == "" || e.Commit.Timestamp == "" || !strings.HasSuffix(e.Commit.URL, e.Commit.ID) {
				t.Errorf("%s: got tool %q, commit %+v, want go and an ID, a time and a URL that ends with the ID", suite, e.Tool, e.Commit)
			}
			if i > 0 && e.Date <= entries[i-1].Date {
				t.Errorf("%s: got an entry of %d after one of %d, want them in order", suite, e.Date, entries[i-1].Date)
			}
			if len(e.Benches) != 3*len(madeRows) {
				t.Errorf("%s: %d figures, want %d", suite, len(e.Benches), 3*len(madeRows))
			}
			for _, b := range e.Benches {
				if b.Name == "" || b.Unit == "" || b.Unit == "ns/op" && b.Value <= 0 {
					t.Errorf("%s: got figure %+v, want a name, a unit, and a time above 0", suite, b)
				}
			}
		}
	}
}

const readme = "# Title\n\n" + markBegin + "\nold\n" + markEnd + "\n\nThe end.\n"

func TestMarkdownReplacesTheTableAlone(t *testing.T) {
	dir := write(t, story...)
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte(readme), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "-check", "-results", dir, "-o", file); code != 1 || !strings.Contains(stderr, "is not that of the newest results") {
		t.Errorf("check of an old table: got exit code %d, %s, want 1 and \"is not that of the newest results\"", code, stderr)
	}
	if code, _, stderr := command(t, "-format=md", "-results", dir, "-o", file); code != 0 {
		t.Fatalf("exit code %d: %s, want 0", code, stderr)
	}
	if code, _, stderr := command(t, "-check", "-results", dir, "-o", file); code != 0 {
		t.Errorf("check of a new table: got exit code %d, %s, want 0", code, stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if !strings.HasPrefix(text, "# Title\n\n"+markBegin+"\n") || !strings.HasSuffix(text, markEnd+"\n\nThe end.\n") || strings.Contains(text, "\nold\n") {
		t.Errorf("got\n%s\nwant a new table, with all around it as it was", text)
	}
	for _, want := range []string{
		"Made Up 1, 4 cores, linux/amd64, go1.26.2, 2026-04-05, commit ddddddd; medians of 10 passes of `go run ./bench/record -count 10`",
		"load average before the passes 0.0 to 0.9",
		"| | format | naive | copy |",
		"(0.82\u00d7)", // a row we lose
		"72 B in 2 allocs",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got the table\n%s\nwant %q in it", text, want)
		}
	}

	// A newer file makes the table old, whatever its processor.
	newer := made{"2026-05-05-made-up-2-go1.26.2.txt", "2026-05-05T10:00:00Z", "go1.26.2", "Made Up 2", "eeeeeee5", 1, 10}
	if err := os.WriteFile(filepath.Join(dir, newer.file), []byte(newer.text()), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "-check", "-results", dir, "-o", file); code != 1 || !strings.Contains(stderr, newer.file) {
		t.Errorf("check after a newer run: got exit code %d, %s, want 1 and %s", code, stderr, newer.file)
	}
}

// The second run of a day is the newest, although its name sorts before the first's.
func TestSecondRunOfADayIsTheNewest(t *testing.T) {
	second := story[4]
	second.file, second.date, second.commit = strings.TrimSuffix(second.file, ".txt")+"-2.txt", "2026-04-05T11:00:00Z", "eeeeeee5"
	dir := write(t, append(story[:5:5], second)...)
	file := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(file, []byte(readme), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := command(t, "-check", "-results", dir, "-o", file); code != 1 || !strings.Contains(stderr, second.file) {
		t.Errorf("check: got exit code %d, %s, want 1 and %s", code, stderr, second.file)
	}
	page := makePage(t, dir)
	if !strings.Contains(page, "<code>eeeeeee</code>") || strings.Index(page, second.file) > strings.Index(page, story[4].file) {
		t.Errorf("got a page with the second run at %d and the first at %d, want it in the head and the second first",
			strings.Index(page, second.file), strings.Index(page, story[4].file))
	}
}

func TestTableNeedsItsTwoMarks(t *testing.T) {
	for name, text := range map[string]string{
		"none":     "# Title\n",
		"no end":   markBegin + "\n",
		"no begin": markEnd + "\n",
		"reversed": markEnd + "\n" + markBegin + "\n",
		"twice":    readme + readme,
	} {
		if _, err := fill([]byte(text), "table\n"); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}

// The newest stored run, and no other, is held to the promises without tolerance; a
// run that someone has just taken has some.
func TestNewestRunIsHeldWithoutTolerance(t *testing.T) {
	stored := func(ns float64, date string) string {
		return fmt.Sprintf("date: %s\ngo: go1.26.1\ncpu: c\nbench: Header\n"+
			"BenchmarkHeader/impl=format 1 10 ns/op 0 B/op 0 allocs/op\nBenchmarkHeader/impl=binary.Read 1 %v ns/op\n", date, ns)
	}

	dir := t.TempDir()
	for i, c := range []struct {
		ns           float64 // promised are 400
		newest, gate int
	}{{300, 1, 1}, {390, 1, 0}, {410, 0, 0}} {
		file := filepath.Join(dir, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(file, []byte(stored(c.ns, fmt.Sprintf("2026-01-0%dT00:00:00Z", i+1))), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := command(t, "-results", dir, "-newest")
		if code != c.newest || !strings.Contains(stdout, file) || strings.Count(stdout, "not in this run") < 10 {
			t.Errorf("%v ns: got exit code %d of -newest, want %d, the file %s and at least 10 cases that are not in this run\n%s%s", c.ns, code, c.newest, file, stdout, stderr)
		}
		if code, stdout, _ := command(t, "-results", dir, "-gate", file); code != c.gate {
			t.Errorf("%v ns: got exit code %d of -gate, want %d\n%s", c.ns, code, c.gate, stdout)
		}
	}
}

// A run on a machine that others kept busy says so and passes, but is not published.
func TestBusyMachinePassesButIsNotPublished(t *testing.T) {
	text := "date: 2026-01-01T00:00:00Z\ngo: go1.26.1\ncpu: c\ncores: 2\nbench: Parallel\n"
	for pass, load := range []float64{5.1, 6.8, 5.9} {
		text += fmt.Sprintf("pass: %d\nload: %.1f\n", pass+1, load) +
			"BenchmarkParallel/impl=format/to=lines 1 100 ns/op 0 B/op 0 allocs/op\nBenchmarkParallel/impl=format-one/to=lines 1 100 ns/op 0 B/op 0 allocs/op\n"
	}

	dir := t.TempDir()
	for load, want := range map[string]int{"5.1": 0, "0.1": 1} {
		file := filepath.Join(dir, "busy.txt")
		quiet := strings.NewReplacer("load: 5.1", "load: "+load, "load: 6.8", "load: "+load, "load: 5.9", "load: "+load).Replace(text)
		if err := os.WriteFile(file, []byte(quiet), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := command(t, "-results", dir, "-gate", file)
		said := strings.Contains(stdout, "the machine was busy, with load average before the passes 5.1 to 5.1 on 2 processors") && strings.Contains(stdout, "below, advice only")
		if code != want || said != (want == 0) {
			t.Errorf("load %s: -gate ends with %d, want %d\n%s%s", load, code, want, stdout, stderr)
		}
		if code, stdout, _ := command(t, "-results", dir, "-newest"); code != 1 {
			t.Errorf("load %s: got exit code %d of -newest, want 1\n%s", load, code, stdout)
		}
	}
}

func TestGateFailsOnWhatIsMissing(t *testing.T) {
	dir := write(t, story...)
	// The story lacks rows of the real suite, and its Render has no cost.
	code, stdout, _ := command(t, "-results", dir, "-gate", filepath.Join(dir, story[4].file))
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{
		"Walk, 65535 B: format over gopacket", "kept", "MISSING",
		"MISSING BenchmarkRender/impl=text/args=1: has no entry in gate.Costs; add one",
		"times beside " + story[3].file, "promises do not hold",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("got the output\n%s\nwant %q in it", stdout, want)
		}
	}
	// Elsewhere there is no baseline; the gate says so.
	if _, stdout, _ := command(t, "-results", t.TempDir(), "-gate", filepath.Join(dir, story[0].file)); !strings.Contains(stdout, "no stored results of Made Up 1") {
		t.Errorf("without a baseline, want it to say \"no stored results of Made Up 1\":\n%s", stdout)
	}
}

func TestWrongUseIsExplained(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-format=pdf"}, 2, "no format"},
		{[]string{"file"}, 2, "usage"},
		{[]string{"-nothing"}, 2, "not defined"},
		{[]string{"-results", empty, "-o", "-"}, 1, "make bench"},
		{[]string{"-results", empty, "-check"}, 1, "make bench"},
		{[]string{"-gate", filepath.Join(empty, "none.txt")}, 1, "none.txt"},
	} {
		if code, _, stderr := command(t, c.args...); code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d: %s, want code %v and %q in the stderr", c.args, code, stderr, c.code, c.want)
		}
	}

	// A page that cannot be written leaves nothing behind.
	blocked := filepath.Join(empty, "page")
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"-results", write(t, story...), "-o", blocked}, io.Discard, io.Discard); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}

	if left, err := filepath.Glob(blocked + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v, want nothing left", left, err)
	}
}
