package ingest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// medians returns the medians of the messages a second in a file of results, by
// what stands behind "BenchmarkIngest/impl=".
func medians(t *testing.T, name string) map[string]float64 {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float64{}
	for _, m := range regexp.MustCompile(`(?m)^BenchmarkIngest/impl=(\S+)-\d+\s.*\s(\S+) msgs/s`).FindAllStringSubmatch(string(b), -1) {
		v, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		all[m[1]] = append(all[m[1]], v)
	}
	found := map[string]float64{}
	for name, values := range all {
		slices.Sort(values)
		n := len(values)
		found[name] = (values[(n-1)/2] + values[n/2]) / 2
	}
	return found
}

// The numbers of CAPACITY.md are those of the file of results that it names, to
// three digits.
func TestCapacityIsMeasured(t *testing.T) {
	b, err := os.ReadFile("CAPACITY.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	link := regexp.MustCompile(`\]\((\S+/results/\S+\.txt)\)`).FindStringSubmatch(page)
	if link == nil {
		t.Fatal("got a page that names no file of results, want one named")
	}

	measured := medians(t, filepath.FromSlash(link[1]))
	checked := map[string]bool{}
	check := func(shown, name string) {
		t.Helper()
		got, err := strconv.ParseFloat(strings.ReplaceAll(shown, ",", ""), 64)
		if want := measured[name]; err != nil || math.Abs(got-want) > 0.005*want {
			t.Errorf("%s: got %q on the page, error %v, want %.0f as in the results", name, shown, err, want)
		}
		checked[name] = true
	}

	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$`).FindAllStringSubmatch(page, -1) {
		for i, impl := range []string{"paho", "ingest-memory", "ingest-file"} {
			check(row[2+i], fmt.Sprintf("%s/size=%s", impl, row[1]))
		}
	}

	for _, row := range regexp.MustCompile(`(?m)^\| (\d) \| ([\d,]+) \| ([\d,]+) \|$`).FindAllStringSubmatch(page, -1) {
		suffix := "/size=1024"
		if row[1] != "1" {
			suffix += "/workers=" + row[1]
		}
		check(row[2], "ingest-memory"+suffix)
		check(row[3], "ingest-file"+suffix)
	}

	devices := regexp.MustCompile(`1,000 devices.*: ([\d,]+) messages a second`).FindStringSubmatch(page)
	if devices == nil {
		t.Fatal("got nothing about 1,000 devices, want a line on the page")
	}
	check(devices[1], "ingest-memory/size=1024/devices=1000")
	for name := range measured {
		if !checked[name] {
			t.Errorf("got %s in the results alone, want it on the page too", name)
		}
	}
}
