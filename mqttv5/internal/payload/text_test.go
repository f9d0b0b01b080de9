package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func TestTextBatchesHoldEveryEntryInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(400, 2000).Draw(t, "limit")
		var entries []TextEntry
		for range rapid.IntRange(1, 60).Draw(t, "entries") {
			entries = append(entries, TextEntry{Time: rapid.Int64().Draw(t, "t"), Level: format.Level(rapid.IntRange(0, 4).Draw(t, "level")), Text: rapid.StringN(0, 30, 90).Draw(t, "text")})
		}
		var seq Sequence
		batches, err := TextBatches(devicetest.Info(1), entries, limit, &seq)
		if err != nil {
			t.Fatal(err)
		}

		var got []TextEntry
		last := uint64(0)
		for i, b := range batches {
			if len(b) > limit {
				t.Fatalf("got a batch of %d bytes, want %d at most", len(b), limit)
			}
			head, rest, _ := strings.Cut(string(b), "\n")
			var h textHeader
			if err := json.Unmarshal([]byte(head), &h); err != nil || h.Serial != "SN00001" || (i > 0 && h.Sequence != last+1) {
				t.Fatalf("got header %s, %v, want serial SN00001 and, behind the first, sequence %d", head, err, last+1)
			}
			last = h.Sequence
			e, err := ReadText(strings.NewReader(rest), time.Now(), 0)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e...)
		}

		if !slices.Equal(got, entries) {
			t.Fatalf("got %v\nwant %v", got, entries)
		}
	})

	var seq Sequence
	for name, entries := range map[string][]TextEntry{
		"none": nil, "level": {{1, format.LevelMetric, "x"}}, "long": {{1, 1, strings.Repeat("x", 128<<10)}},
	} {
		if _, err := TextBatches(devicetest.Info(1), entries, MaxText, &seq); !errors.Is(err, fault.ErrBadData) {
			t.Errorf("%s: got error %v, want %v", name, err, fault.ErrBadData)
		}
	}
}

func TestReadTextTakesLinesAndEntries(t *testing.T) {
	in := "plain\r\n\n{\"t\":5,\"lv\":4,\"m\":\"json\"}\n{\"t\":5,\"lv\":9,\"m\":\"no level\"}\n{broken\nlast"
	now := time.Unix(100, 0)
	got, err := ReadText(strings.NewReader(in), now, format.LevelWarning)
	want := []TextEntry{
		{Time: 100, Level: format.LevelWarning, Text: "plain"},
		{Time: 5, Level: format.LevelError, Text: "json"},
		{Time: 100, Level: format.LevelWarning, Text: `{"t":5,"lv":9,"m":"no level"}`},
		{Time: 100, Level: format.LevelWarning, Text: "{broken"},
		{Time: 100, Level: format.LevelWarning, Text: "last"},
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	long := "\n\none\n\n" + strings.Repeat("x", 200<<10) // empty lines count
	if _, err := ReadText(strings.NewReader(long), now, 0); !errors.Is(err, fault.ErrBadData) || !strings.Contains(err.Error(), "line 5 ") {
		t.Errorf("long line: %v, want %v that says \"line 5 \"", err, fault.ErrBadData)
	}
}
