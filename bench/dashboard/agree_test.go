package main

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/bench/internal/gate"
	"github.com/ulogkit/ulogkit/bench/internal/results"
)

var times = regexp.MustCompile("[0-9.]+\u00d7")

// A ratio has the same digits wherever it stands: on the page, in its pictures, in both
// tables of the documents and in what the gate measures.
func TestRatiosAgree(t *testing.T) {
	for name, dir := range map[string]string{"story": write(t, story...), "results": "../results"} {
		runs, err := results.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		newest := runs[len(runs)-1]
		page := html.UnescapeString(makePage(t, dir))
		table := markdown(newest)
		if len(times.FindAllString(table, -1)) < 5 {
			t.Errorf("%s: got %d ratios in the table, want at least 5", name, len(times.FindAllString(table, -1)))
		}

		cells := map[string]bool{}
		for _, m := range regexp.MustCompile("<td[^>]*>([0-9.]+\u00d7)</td>").FindAllStringSubmatch(page, -1) {
			cells[m[1]] = true
		}
		drawn := map[string]bool{}
		for _, m := range regexp.MustCompile("<text[^>]*>([0-9.]+\u00d7)</text>").FindAllStringSubmatch(page, -1) {
			drawn[m[1]] = true
		}

		for _, text := range times.FindAllString(table, -1) {
			if !cells[text] || !drawn[text] {
				t.Errorf("%s: got %s in the table, in the page's tables: %v, in its pictures: %v, want it in all", name, text, cells[text], drawn[text])
			}
		}

		for _, text := range times.FindAllString(headlineTable(newest), -1) {
			if !strings.Contains(table, text) {
				t.Errorf("%s: got %s in the short table alone, want it in the long one, too", name, text)
			}
		}

		for _, v := range gate.Speed(newest, gate.Promises) {
			ours, peer := newest.Find(v.Bench, v.Of, v.Case), newest.Find(v.Bench, v.Peer, v.Case)
			if ours != nil && peer != nil && ratio(v.Ratio.Center) != ratio(advantage(ours, peer).Center) {
				t.Errorf("%s: %s over %s: got %s at the gate, want %s as on the page", name, v.Of, v.Peer, ratio(v.Ratio.Center), ratio(advantage(ours, peer).Center))
			}
		}
	}
}

// Each text of a picture says how wide it is, so that no font changes the picture.
func TestTextsOfPicturesAreMeasured(t *testing.T) {
	page := makePage(t, write(t, story...))
	texts := regexp.MustCompile(`<text [^>]*>`).FindAllString(page, -1)
	if len(texts) < 50 {
		t.Fatalf("%d texts, want at least 50", len(texts))
	}
	for _, text := range texts {
		if !strings.Contains(text, "textLength=") {
			t.Errorf("got the text %s, want one with textLength, as wide in any font", text)
		}
	}
}
