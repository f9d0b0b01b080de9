package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/gate"
	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// gateCommand prints how a run stands and fails when a promise is broken.
func gateCommand(stdout io.Writer, dir, path string) error {
	run, err := results.ReadFile(path)
	if err != nil {
		return err
	}
	return hold(stdout, dir, path, run, gate.Status.Fails)
}

// newestCommand holds the newest stored run against the promises. It fails without
// tolerance, and also where the machine was busy: what is published must show what is
// promised.
func newestCommand(stdout io.Writer, dir string) error {
	runs, err := results.Load(dir)
	if err != nil {
		return err
	}
	run := runs[len(runs)-1]
	return hold(stdout, dir, filepath.Join(dir, run.File), run, func(s gate.Status) bool {
		return s.Fails() || s == gate.Short || s == gate.Advice
	})
}

func hold(stdout io.Writer, dir, path string, run *results.Run, fails func(gate.Status) bool) error {
	fmt.Fprintf(stdout, "%s: %s, %s, %d passes, commit %s\n\n", path, run.Machine(), run.Go, run.Passes, run.ShortCommit())
	if run.Busy() {
		fmt.Fprintf(stdout, "the machine was busy, with %s on %d processors: what takes more than one core, the disk or the network is advice only\n\n",
			loads(run), run.Cores)
	}
	failures := printSpeed(stdout, gate.Speed(run, gate.Promises), fails) + printCosts(stdout, gate.Allocations(run, gate.Costs))
	fmt.Fprintln(stdout)
	if err := printBaseline(stdout, dir, run); err != nil {
		return err
	}
	if failures > 0 {
		fmt.Fprintf(stdout, "\n%d promises do not hold\n", failures)
		return errFailed
	}
	return nil
}

func printSpeed(w io.Writer, verdicts []gate.Verdict, fails func(gate.Status) bool) (failures int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "ratio in this run\tmeasured\t95 %\tpromised\t\t")
	for _, v := range verdicts {
		measured, interval := "", ""
		if v.Ratio.N > 0 {
			measured, interval = ratio(v.Ratio.Center), spread(v.Ratio)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%v\t\n", speedClaim(v), measured, interval, ratio(v.Promise.Ratio), v.Status)
		if fails(v.Status) {
			failures++
		}
	}
	table.Flush()
	return failures
}

// speedClaim names what is compared.
func speedClaim(v gate.Verdict) string {
	return fmt.Sprintf("%s: %s over %s", title(v.Bench, v.Case), v.Of, v.Peer)
}

func printCosts(w io.Writer, verdicts []gate.CostVerdict) (failures int) {
	kept := 0
	for _, v := range verdicts {
		switch {
		case v.Status.Fails():
			failures++
			fmt.Fprintf(w, "\n%s %s: %s", v.Status, v.Row.Name(), v.Reason)
		case v.Reason != "":
			fmt.Fprintf(w, "\n%s: %s", v.Row.Name(), v.Reason)
		default:
			kept++
		}
	}
	fmt.Fprintf(w, "\n%d rows allocate what is promised\n", kept)
	return failures
}

// printBaseline compares with the newest stored run of the same machine. It is
// advice: the same processor in another place is another machine.
func printBaseline(w io.Writer, dir string, run *results.Run) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return err
	}

	var stored []*results.Run
	if len(files) > 0 {
		if stored, err = results.Load(dir); err != nil {
			return err
		}
	}

	base := results.Previous(stored, run)
	if base == nil {
		fmt.Fprintf(w, "no stored results of %s to compare times with\n", run.Machine())
		return nil
	}
	fmt.Fprintf(w, "times beside %s (commit %s, %s), for advice only:\n", base.File, base.ShortCommit(), base.Date.Format(time.DateOnly))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tthen\tnow\tspeed\tp\t")
	for _, row := range run.Rows {
		old := base.Find(row.Bench, row.Impl, row.Case)
		if old == nil {
			continue
		}
		c := results.Compare(old.Samples[results.UnitTime], row.Samples[results.UnitTime])
		delta := "~"
		if c.Significant {
			delta = change(1/(1+c.Delta) - 1)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", strings.TrimPrefix(row.Name(), "Benchmark"),
			quantity(c.Old.Center, results.UnitTime), quantity(c.New.Center, results.UnitTime), delta, chance(c.P))
	}
	return table.Flush()
}
