package main

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

func TestSeriesHasAPointForEachRun(t *testing.T) {
	runs, err := results.Load(write(t, story...))
	if err != nil {
		t.Fatal(err)
	}
	first := machines(runs)[0]
	if len(first) != 4 || first[0].CPU != "Made Up 1" {
		t.Fatalf("the newest machine: got %d runs of %s, want 4 of Made Up 1", len(first), first[0].CPU)
	}

	s := follow(first, first[0].Find("Walk", "format", "size=65535"), false)
	if !s.ours || s.ink != inkOurs || len(s.points) != 4 {
		t.Fatalf("got series %+v, want ours, in ink %v, with 4 points", s, inkOurs)
	}

	for i, want := range []struct {
		speed  float64
		marked string
		better bool
	}{{1, "", false}, {1.25, "\u25b2 +2", true}, {1.25, "", false}, {1.12, "\u25bc -", false}} {
		at := s.points[i]
		if at.run != i || math.Abs(at.speed.Center-want.speed) > 0.03 || at.speed.Lo > at.speed.Center || at.speed.Hi < at.speed.Center {
			t.Errorf("point %d is %+v, want a speed of %v", i, at, want.speed)
		}
		if !strings.HasPrefix(at.marked, want.marked) || (want.marked == "") != (at.marked == "") || at.better != want.better {
			t.Errorf("point %d: got marked %q, better %v, want %q and %v", i, at.marked, at.better, want.marked, want.better)
		}
	}

	peer := follow(first, first[0].Find("Walk", "gopacket", "size=65535"), false)
	if peer.ours || peer.ink != inkPeer {
		t.Errorf("got series of a peer %+v, want not ours, in ink %v", peer, inkPeer)
	}
}

// A row that only some runs have is followed from where it begins, and compared
// with the run that had it last.
func TestSeriesBridgesMissingRuns(t *testing.T) {
	row := func(ns string) string {
		text := "date: 2026-01-0" + ns[:1] + "T00:00:00Z\ngo: go1\ncpu: c\n"
		for range 8 {
			text += "BenchmarkA/impl=format 1 " + ns + "000 ns/op\n"
		}
		return text
	}
	var runs []*results.Run
	for _, text := range []string{strings.ReplaceAll(row("1"), "BenchmarkA", "BenchmarkB"), row("2"), strings.ReplaceAll(row("3"), "BenchmarkA", "BenchmarkB"), row("4")} {
		r, err := results.Read(strings.NewReader(text), "x.txt")
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	s := follow(runs, runs[1].Find("A", "format", ""), false)
	if len(s.points) != 2 || s.points[0].run != 1 || s.points[1].run != 3 || s.points[1].speed.Center != 0.5 || s.points[1].marked != "\u25bc -50.0 %" {
		t.Errorf("got series %+v, want the runs 1 and 3, the second half as fast, marked \"\u25bc -50.0 %%\"", s)
	}
}

func TestHistoryShowsVersions(t *testing.T) {
	page := makePage(t, write(t, story...))
	for _, figure := range strings.Split(page, "<figure ")[1:] {
		if !strings.Contains(figure, "-history-") {
			continue
		}
		svg, _, _ := strings.Cut(figure, "</svg>")
		if n := strings.Count(svg, ">go1.26.2</text>"); n != 1 {
			t.Errorf("got the new Go version %d times in a picture, want it once", n)
		}
		for _, commit := range []string{"aaaaaaa", "bbbbbbb", "ccccccc", "ddddddd"} {
			if n := strings.Count(svg, ">"+commit+"</text>"); n != 1 {
				t.Errorf("got the run of commit %s %d times in a picture, want it once", commit, n)
			}
		}
	}
}

// Cases with peers have a picture each; those without share one.
func TestCasesWithPeersHaveAPictureEach(t *testing.T) {
	text := "date: 2026-01-01T00:00:00Z\ngo: go1\ncpu: c\n"
	for _, name := range []string{"impl=format/from=a", "impl=fmt/from=a", "impl=format/from=b/to=x", "impl=format/from=b/to=y", "impl=format/from=c", "impl=fmt/from=c"} {
		text += "BenchmarkR/" + name + " 1 5 ns/op\n"
	}
	r, err := results.Read(strings.NewReader(text), "x.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups([]*results.Run{r}, "R") {
		got = append(got, fmt.Sprint(g.title, " ", g.cases, " ", len(g.rows)))
	}
	want := "R, from=a [from=a] 2; R, from=c [from=c] 2; R, without peers [from=b/to=x from=b/to=y] 2"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("groups are %s, want %s", s, want)
	}
}
