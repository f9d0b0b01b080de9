package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// repository is where commits are looked at.
const repository = "https://github.com/ulogkit/ulogkit"

// The data file of github-action-benchmark, as its option
// external-data-json-path takes it: one suite a machine, since times of two
// machines are not one curve.
type actionData struct {
	LastUpdate int64                    `json:"lastUpdate"` // ms since 1970
	RepoURL    string                   `json:"repoUrl"`
	Entries    map[string][]actionEntry `json:"entries"`
}

type actionEntry struct {
	Commit  actionCommit  `json:"commit"`
	Date    int64         `json:"date"` // ms since 1970
	Tool    string        `json:"tool"`
	Benches []actionBench `json:"benches"`
}

type actionCommit struct {
	Author    actionPerson `json:"author"`
	Committer actionPerson `json:"committer"`
	ID        string       `json:"id"`
	Message   string       `json:"message"`
	Timestamp string       `json:"timestamp"`
	URL       string       `json:"url"`
}

type actionPerson struct {
	Name     string `json:"name"`
	Username string `json:"username"`
}

type actionBench struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Range string  `json:"range,omitempty"`
	Extra string  `json:"extra,omitempty"`
}

func actionCommand(stdout io.Writer, dir, output string) error {
	runs, err := results.Load(dir)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(newActionData(runs), "", "  ")
	if err != nil {
		return err
	}
	return writeOutput(stdout, output, append(data, '\n'))
}

// newActionData returns all runs in that form.
func newActionData(runs []*results.Run) actionData {
	data := actionData{RepoURL: repository, Entries: map[string][]actionEntry{}}
	for _, run := range runs {
		// A results file does not say who wrote the commit.
		person := actionPerson{"ulogkit", "ulogkit"}
		entry := actionEntry{
			Commit: actionCommit{
				person, person, run.Commit, run.Subject, cmp.Or(run.Committed, run.Date).Format(time.RFC3339), repository + "/commit/" + run.Commit,
			},
			Date: run.Date.UnixMilli(),
			Tool: "go",
		}
		for _, row := range run.Rows {
			entry.Benches = append(entry.Benches, actionRow(run, row)...)
		}
		suite := "ulogkit on " + run.Machine()
		data.Entries[suite] = append(data.Entries[suite], entry)
		data.LastUpdate = max(data.LastUpdate, entry.Date)
	}
	return data
}

// actionRow gives an entry for each unit, named as the action's own reader of go
// test output names them. The action takes less for better in all of them, so
// that rates stand beside the time.
func actionRow(run *results.Run, row *results.Row) []actionBench {
	extra := fmt.Sprintf("median of %d\n%s, %d cores", len(row.Samples[results.UnitTime]), run.Go, run.Cores)
	for _, unit := range append([]string{results.UnitSpeed}, row.Units()...) {
		if s := results.Summarize(row.Samples[unit]); s.N > 0 {
			extra += "\n" + quantity(s.Center, unit)
		}
	}

	var benches []actionBench
	for _, unit := range []struct {
		name, suffix, label string
		factor              float64
	}{
		{results.UnitTime, "", "ns/op", 1e9},
		{results.UnitBytes, " - B/op", "B/op", 1},
		{results.UnitAllocs, " - allocs/op", "allocs/op", 1},
	} {
		s := results.Summarize(row.Samples[unit.name])
		if s.N == 0 {
			continue
		}
		b := actionBench{Name: row.Name() + unit.suffix, Value: s.Center * unit.factor, Unit: unit.label, Extra: extra}
		if s.Bounded() {
			b.Range = spread(s)
		}
		benches = append(benches, b)
	}
	return benches
}
