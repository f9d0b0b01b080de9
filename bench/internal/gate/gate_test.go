package gate

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

func run(t *testing.T, rows ...string) *results.Run {
	t.Helper()
	text := "date: 2026-01-02T03:04:05Z\ngo: go1.26.8\ncpu: Test CPU\n" + strings.Join(rows, "\n") + "\n"
	r, err := results.Read(strings.NewReader(text), "x.txt")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func row(name string, ns, bytes, allocs float64) string {
	return fmt.Sprintf("Benchmark%s-2 100 %v ns/op %v B/op %v allocs/op", name, ns, bytes, allocs)
}

func TestSpeedIsHeldWithinTheTolerance(t *testing.T) {
	promises := []Promise{{"Walk", "format", "gopacket", []string{"size=1", "size=2"}, 10, "", nil}}
	ours := row("Walk/impl=format/size=1", 100, 0, 0)

	for _, c := range []struct {
		name string
		peer float64 // ns
		want Status
	}{
		{"above", 1500, Kept},
		{"at", 1000, Kept},
		{"19 % below", 810, Short},
		{"at the tolerance", 800, Short},
		{"21 % below", 790, Broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts := Speed(run(t, ours, row("Walk/impl=gopacket/size=1", c.peer, 0, 0)), promises)
			if len(verdicts) != 2 || verdicts[0].Status != c.want || math.Abs(verdicts[0].Ratio.Center-c.peer/100) > 1e-9 {
				t.Fatalf("got verdicts %+v, want two, the first %v at a ratio of %v", verdicts, c.want, c.peer/100)
			}
			// The other case is not in the run: that is no pass.
			if verdicts[1].Status != Missing || !verdicts[1].Status.Fails() {
				t.Errorf("the missing case: got %v, want %v, which fails", verdicts[1].Status, Missing)
			}
			if got := verdicts[0].Status.Fails(); got != (c.want == Broken) {
				t.Errorf("%v: got fails %v, want %v", c.want, got, c.want == Broken)
			}
		})
	}
}

// On a kind of processor that serves the peer better another ratio is promised, and on
// others it is not.
func TestPromisedSpeedDependsOnTheProcessor(t *testing.T) {
	for _, c := range []struct {
		cpu    string
		ratio  float64
		status Status
	}{{"Test", 4, Kept}, {"Other", 10, Broken}} {
		promises := []Promise{{"Walk", "format", "gopacket", nil, 10, "", []Machine{{c.cpu, 4, "why"}}}}
		v := Speed(run(t, row("Walk/impl=format", 100, 0, 0), row("Walk/impl=gopacket", 500, 0, 0)), promises)[0]
		if v.Status != c.status || v.Promise.Ratio != c.ratio {
			t.Errorf("processors with %q in their name: got %v at %v, want %v at %v", c.cpu, v.Status, v.Promise.Ratio, c.status, c.ratio)
		}
	}
	for _, p := range Promises {
		for _, k := range p.Elsewhere {
			if k.Ratio <= 0 || k.Ratio >= p.Ratio || k.Why == "" {
				t.Errorf("%s on %s: got a ratio of %v because of %q, want one above 0 and below %v, and why", p.Bench, k.CPU, k.Ratio, k.Why, p.Ratio)
			}
		}
	}
}

// A benchmark that was left out, or that not every machine can run, is said to be
// absent. One that should be there, or of which half is, is missing.
func TestLeftOutIsAbsentNotMissing(t *testing.T) {
	publish := []Promise{{"Publish", "mqttv5", "raw", []string{"size=1024"}, 0.9, "network", nil}}
	header := []Promise{{"Header", "format", "binary.Read", nil, 40, "", nil}}
	for _, c := range []struct {
		name     string
		promises []Promise
		head     string
		row      string
		want     Status
	}{
		{"network", publish, "", "Walk/impl=format", Absent},
		{"half", publish, "", "Publish/impl=mqttv5/size=1024", Missing},
		{"half of what was left out", publish, "skip: Publish\n", "Publish/impl=raw/size=1024", Missing},
		{"gone", header, "", "Walk/impl=format", Missing},
		{"gone from all", header, "bench: .\n", "Walk/impl=format", Missing},
		{"left out", header, "bench: .\nskip: Publish|Header\n", "Walk/impl=format", Absent},
		{"not asked for", header, "bench: Walk\n", "Walk/impl=format", Absent},
	} {
		verdicts := Speed(run(t, c.head+row(c.row, 1, 0, 0)), c.promises)
		if len(verdicts) != 1 || verdicts[0].Status != c.want || verdicts[0].Status.Fails() != (c.want == Missing) {
			t.Errorf("%s: got verdicts %+v, want one, %v, that fails only if it is %v", c.name, verdicts, c.want, Missing)
		}
	}

	costs := []Cost{{Bench: "Header", Impl: "format", Case: "*"}}
	for head, want := range map[string]int{"": 2, "skip: Header\n": 1} { // Walk has no entry
		if got := Allocations(run(t, head+row("Walk/impl=format", 1, 0, 0)), costs); len(got) != want {
			t.Errorf("%q: verdicts are %+v, want len(got) %v", head, got, want)
		}
	}
}

// Each promise is about benchmarks and costs that there are.
func TestPromisesHaveCosts(t *testing.T) {
	for _, p := range Promises {
		if _, ok := costOf(Costs, p.Bench, p.Of, strings.Join(p.Cases[:min(1, len(p.Cases))], "")); !ok {
			t.Errorf("%s: got a promise for %s without a cost, want both", p.Bench, p.Of)
		}
	}
}

// One slow sample of ten is not a broken promise.
func TestSpeedIgnoresOutlier(t *testing.T) {
	var rows []string
	for i := range 10 {
		ns := 100.0
		if i == 4 {
			ns = 5000
		}
		rows = append(rows, row("Walk/impl=format", ns, 0, 0), row("Walk/impl=gopacket", 1100, 0, 0))
	}
	verdicts := Speed(run(t, rows...), []Promise{{"Walk", "format", "gopacket", nil, 10, "", nil}})
	if verdicts[0].Status != Kept || verdicts[0].Ratio.N != 10 {
		t.Errorf("verdict is %+v, want Status %v and N 10", verdicts[0], Kept)
	}
}

// A median that is too low does not break a promise while its interval reaches
// up to what is allowed, and does when all of it is below.
func TestOnlyAWholeIntervalBreaksAPromise(t *testing.T) {
	for _, c := range []struct {
		name  string
		peers []float64 // ns, with ours at 100
		want  Status
	}{
		{"wide", []float64{300, 400, 500, 600, 700, 760, 850, 900, 950, 1000}, Short},
		{"narrow", []float64{690, 695, 700, 700, 700, 700, 700, 700, 705, 710}, Broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rows []string
			for _, ns := range c.peers {
				rows = append(rows, row("Walk/impl=format", 100, 0, 0), row("Walk/impl=gopacket", ns, 0, 0))
			}
			v := Speed(run(t, rows...), []Promise{{"Walk", "format", "gopacket", nil, 10, "", nil}})[0]
			if v.Status != c.want || v.Ratio.Center >= 8 {
				t.Errorf("got verdict %+v, want %v and a ratio below 8", v, c.want)
			}
		})
	}
}

// A neighbour never keeps work from landing: what takes cores, disk or network is
// advice while the load is above the number of processors, and what takes one core is
// not; a row that is missing is missing under any load.
func TestBusyMachineMakesSharedSpeedsAdvice(t *testing.T) {
	const quiet, busy = "load: 1.9\n", "load: 5.2\n"
	shared := []Promise{{"Publish", "mqttv5", "raw", []string{"size=1", "size=2"}, 10, "network", nil}}
	alone := []Promise{{"Publish", "mqttv5", "raw", []string{"size=1", "size=2"}, 10, "", nil}}
	for _, c := range []struct {
		name     string
		promises []Promise
		head     string
		loads    []string
		want     Status
	}{
		{"busy", shared, "cores: 2\n", []string{busy, busy, busy, busy}, Advice},
		{"half of the time", shared, "cores: 2\n", []string{quiet, busy, busy, quiet}, Advice},
		{"at first only", shared, "cores: 2\n", []string{busy, quiet, quiet, quiet}, Broken},
		{"quiet", shared, "cores: 2\n", []string{quiet, quiet, quiet, quiet}, Broken},
		{"at the number of processors", shared, "cores: 2\n", []string{"load: 2.0\n", "load: 2.0\n"}, Broken},
		{"one core of a busy machine", alone, "cores: 2\n", []string{busy, busy}, Broken},
		{"many processors", shared, "cores: 8\n", []string{busy, busy}, Broken},
		{"processors not known", shared, "", []string{busy, busy}, Broken},
		{"load not known", shared, "cores: 2\n", []string{"", ""}, Broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := []string{c.head}
			for i, load := range c.loads {
				rows = append(rows, fmt.Sprintf("pass: %d\n%s", i+1, load),
					row("Publish/impl=mqttv5/size=1", 100, 0, 0), row("Publish/impl=raw/size=1", 500, 0, 0))
			}
			verdicts := Speed(run(t, rows...), c.promises)
			if got := verdicts[0].Status; got != c.want || got.Fails() != (c.want == Broken) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if verdicts[1].Status != Missing {
				t.Errorf("a row that is not there: got %v, want %v", verdicts[1].Status, Missing)
			}
		})
	}

	for _, p := range Promises {
		if shared := strings.Contains("Parallel CaptureFile Publish Outbox Ingest", p.Bench); shared != (p.Takes != "") {
			t.Errorf("%s: got Takes %q, want some: %v", p.Bench, p.Takes, shared)
		}
	}
}

func TestAllocationsAreHeldToTheByte(t *testing.T) {
	costs := []Cost{
		{Bench: "Walk", Impl: "format", Case: "size=1", Allocs: 2, Bytes: 64},
		{Bench: "Walk", Impl: "format", Case: "*"},
	}

	for _, c := range []struct {
		name string
		rows []string
		want []Status
	}{
		{"exact", []string{row("Walk/impl=format/size=1", 1, 64, 2), row("Walk/impl=format/size=2", 1, 0, 0)}, []Status{Kept, Kept}},
		{"one byte more", []string{row("Walk/impl=format/size=1", 1, 65, 2)}, []Status{Broken}},
		{"one less", []string{row("Walk/impl=format/size=1", 1, 64, 1)}, []Status{Broken}},
		{"in one pass of three", []string{row("Walk/impl=format/size=2", 1, 0, 0), row("Walk/impl=format/size=2", 1, 0, 1), row("Walk/impl=format/size=2", 1, 0, 0)}, []Status{Kept}},
		{"in two passes of three", []string{row("Walk/impl=format/size=2", 1, 0, 1), row("Walk/impl=format/size=2", 1, 0, 1), row("Walk/impl=format/size=2", 1, 0, 0)}, []Status{Broken}},
		{"peers are free", []string{row("Walk/impl=format/size=2", 1, 0, 0), row("Walk/impl=gopacket/size=2", 1, 9, 9)}, []Status{Kept}},
		{"without an entry", []string{row("Walk/impl=format/size=2", 1, 0, 0), row("Zip/impl=text", 1, 0, 0)}, []Status{Kept, Missing}},
		{"not measured", []string{"BenchmarkWalk/impl=format/size=2-2 100 5 ns/op"}, []Status{Missing}},
		{"not in the run", []string{row("Walk/impl=gopacket/size=2", 1, 9, 9)}, []Status{Missing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			verdicts := Allocations(run(t, c.rows...), costs)
			var got []Status
			for _, v := range verdicts {
				got = append(got, v.Status)
				if (v.Reason == "") != (v.Status == Kept) {
					t.Errorf("%v: got reason %q, want one unless it is %v", v.Status, v.Reason, Kept)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("verdicts are %v, want %v", got, c.want)
			}
		})
	}
}

func TestNearAllocationsHaveATolerance(t *testing.T) {
	costs := []Cost{{Bench: "Tap", Impl: "wire", Case: "*", Allocs: 100, Bytes: 2000, Near: "a buffer grows"}}
	for _, c := range []struct {
		bytes, allocs float64
		want          Status
	}{{2000, 100, Kept}, {2059, 103, Kept}, {2061, 100, Broken}, {2000, 104, Broken}, {1930, 100, Broken}} {
		if verdicts := Allocations(run(t, row("Tap/impl=wire", 1, c.bytes, c.allocs)), costs); len(verdicts) != 1 || verdicts[0].Status != c.want {
			t.Errorf("%v B, %v allocations: %+v, want len(verdicts) 1 and Status %v", c.bytes, c.allocs, verdicts, c.want)
		}
	}
}

func TestFreeAllocationsAreNotHeld(t *testing.T) {
	costs := []Cost{{Bench: "Walk", Impl: "format", Case: "*"}, {Bench: "Ingest", Impl: "ingest", Case: "*", Free: "the network decides"}}
	walk := row("Walk/impl=format", 1, 0, 0)
	for _, rows := range [][]string{{walk}, {walk, row("Ingest/impl=ingest", 1, 900, 12)}} {
		if verdicts := Allocations(run(t, rows...), costs); len(verdicts) != 1 || verdicts[0].Status != Kept || verdicts[0].Row.Bench != "Walk" {
			t.Errorf("verdicts are %+v, want len(verdicts) 1, Status %v and Bench \"Walk\"", verdicts, Kept)
		}
	}
}
