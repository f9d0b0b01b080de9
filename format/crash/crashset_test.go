package crash

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// crashset is what ten builds of one firmware wrote in every way to crash, with
// the frames that GDB finds: BUILD/fw.elf, BUILD/NAME.core and BUILD/gdb.json.
// hostile holds dumps that are damaged, source what made it all.
const crashset = "testdata/crashset.tar.zst"

// readSet returns the files of a set by their names: those of the archive, or
// those of a folder.
func readSet(t testing.TB, name string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()

	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[path.Clean(h.Name)] = b
		}
	}

	return files
}

// gdbFrame is a frame as GDB tells it.
type gdbFrame struct {
	PC       uint32
	Function string
	File     string
	Line     int
	Inlined  bool
	Tail     bool
	Signal   bool
}

// score counts how frames compare with those of GDB.
type score struct {
	dumps                         int
	gdb, shown, certain           int // frames of GDB, up to the task's entry; those that are shown; those that are certain too
	wrongCertain, scanned, astray int // certain frames that are none; scanned frames, and those that are none
}

func (s *score) add(o score) {
	s.dumps += o.dumps
	s.gdb += o.gdb
	s.shown += o.shown
	s.certain += o.certain
	s.wrongCertain += o.wrongCertain
	s.scanned += o.scanned
	s.astray += o.astray
}

func (s score) String() string {
	share := func(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }
	return fmt.Sprintf("%3d dumps, %4d frames of GDB: shown %6.2f %%, certain %6.2f %%, wrong certain %d, scanned %d, false of those %d",
		s.dumps, s.gdb, share(s.shown, s.gdb), share(s.certain, s.gdb), s.wrongCertain, s.scanned, s.astray)
}

// entries are the functions that tasks begin with; GDB goes on behind them.
var entries = []string{"main", "task_main", "Reset_Handler"}

// truth is which functions can be part of each way to crash, by its number in
// source/main.c, besides main and Reset_Handler. Where GDB stops early, it is
// the oracle.
var truth = map[string]string{
	"01": "leaf_crash app_run", "02": "leaf_div app_run __aeabi_idiv0 __aeabi_idiv __divsi3", "03": "app_run", "04": "one call_ptr app_run", "05": "call_ptr app_run", "06": "call_ptr app_run",
	"07": "die assert_failed checks app_run", "08": "forever app_run",
	"09": "leaf_crash isr_work IRQ0_Handler trigger app_run", "10": "leaf_crash isr_work IRQ0_Handler trigger task_step task_main", "11": "leaf_crash task_step task_main",
	"12": "asm_leaf app_run", "13": "leaf_crash asm_mid app_run", "14": "leaf_crash isr_work svc_main SVC_Handler app_run", "15": "leaf_crash tail3 tail2 tail1 app_run",
	"16": "leaf_crash push push_inline operator() read cpp_entry app_run", "17": "cmp qsort __bsd_qsort_r use_qsort app_run", "18": "leaf_crash isr_work IRQ0_Handler fpu app_run leaf_div __aeabi_fadd __aeabi_fmul",
	"19": "leaf_crash isr_work IRQ1_Handler IRQ0_Handler trigger app_run", "20": "inl_inner inl_outer with_inlines app_run", "21": "leaf_crash vla app_run", "22": "leaf_crash recurse app_run",
	"23": "leaf_crash isr_work IRQ0_Handler spin app_run", "24": "abort __terminate terminate __cxa_throw thrower cpp_throw app_run", "25": "smash app_run", "26": "leaf_crash manyargs app_run",
	"27": "leaf_crash recurse app_run", "28": "memcpy __aeabi_memcpy use_memcpy app_run", "29": "strlen use_strlen app_run", "30": "memset __aeabi_memset use_memset app_run",
	"31": "leaf_crash isr_work NMI_Handler app_run", "32": "leaf_crash isr_work PendSV_Handler app_run", "33": "abort app_run", "35": "IRQ0_Handler trigger app_run",
	"36": "leaf_crash isr_work svc_main SVC_Handler task_step task_main", "41": "fatal worker outer app_run", "42": "Default_Handler app_run",
}

// bare returns the last part of a name, without the parameters of templates.
func bare(name string) string {
	depth, kept := 0, []byte(nil)
	for i := range len(name) {
		switch {
		case name[i] == '<':
			depth++
		case name[i] == '>' && depth > 0:
			depth--
		case depth == 0:
			kept = append(kept, name[i])
		}
	}

	name = string(kept)
	name, _, _ = strings.Cut(name, ".") // .constprop, .isra
	if s, ok := strings.CutPrefix(name, "_Z"); ok {
		for _, want := range strings.Fields("push push_inline terminate __terminate thrower read operator") {
			if strings.Contains(s, want) {
				name = want
			}
		}
	}

	if i := strings.LastIndex(name, "::"); i >= 0 {
		name = name[i+2:]
	}
	if name, _, _ = strings.Cut(name, "("); name == "" {
		name = "operator()" // of a lambda
	}
	if strings.HasPrefix(name, "{lambda") || strings.HasPrefix(name, "'lambda") || strings.HasPrefix(name, "operator") {
		name = "operator()"
	}
	return name
}

// compare holds frames to GDB's and to the truth.
func compare(t testing.TB, name string, frames []Frame, want []gdbFrame) (s score) {
	t.Helper()
	s.dumps = 1
	want = slices.DeleteFunc(slices.Clone(want), func(f gdbFrame) bool { return f.Signal })
	if i := slices.IndexFunc(want, func(f gdbFrame) bool { return slices.Contains(entries, f.Function) }); i >= 0 {
		for i++; i < len(want) && slices.Contains(entries, want[i].Function); i++ {
		}
		want = want[:i]
	}

	// Behind an overwritten return address it goes on with anything.
	if i := slices.IndexFunc(want[min(1, len(want)):], func(f gdbFrame) bool { return f.Function == "" }); i >= 0 {
		want = want[:i+1]
	}
	s.gdb = len(want)
	same := func(f *Frame, g *gdbFrame) bool {
		return f.PC&^1 == g.PC&^1 && (g.Function == "" || g.PC >= 0x2000_0000 && g.File == "" || bare(f.Function) == bare(g.Function)) && (g.Line == 0 || f.Line == g.Line || f.File == "")
	}
	number := strings.TrimPrefix(path.Base(name), "s")[:2]
	possible := append(strings.Fields(truth[number]), "main", "Reset_Handler")
	next, matched := 0, make([]bool, len(frames))
	for i := range frames {
		for at := next; at < len(want); at++ {
			if same(&frames[i], &want[at]) {
				matched[i], next = true, at+1
				break
			}
		}
	}

	for i, f := range frames {
		certain := f.Confidence == Unwound
		right := matched[i] || i == 0 || slices.Contains(possible, bare(f.Function))
		switch {
		case matched[i] && certain:
			s.shown++
			s.certain++
		case matched[i]:
			s.shown++
		}

		if certain && !right {
			s.wrongCertain++
			t.Logf("%s: wrong, yet certain: #%d %08x %s", name, i, f.PC, f.Function)
		}

		if !certain {
			s.scanned++
			if !right {
				s.astray++
			}
		}
	}

	if testing.Verbose() && (s.certain < s.gdb || s.astray > 0) {
		var b strings.Builder
		for i, f := range frames[:min(len(frames), 24)] {
			fmt.Fprintf(&b, "  #%d %08x %s %s:%d %s %s %v\n", i, f.PC, f.Function, f.File, f.Line, f.How, f.Confidence, matched[i])
		}
		for _, f := range want[:min(len(want), 16)] {
			fmt.Fprintf(&b, "  gdb %08x %s:%d %v\n", f.PC, f.Function, f.Line, f.Inlined)
		}
		t.Logf("%s: %d of %d\n%s", name, s.certain, s.gdb, b.String())
	}

	return s
}

// scoreSet returns the score of each build of a set.
func scoreSet(t testing.TB, files map[string][]byte) map[string]score {
	t.Helper()
	scores := map[string]score{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		build := path.Dir(name)
		if path.Base(name) != "gdb.json" {
			continue
		}
		var gdb map[string][]gdbFrame
		if err := json.Unmarshal(files[name], &gdb); err != nil {
			t.Fatal(err)
		}

		elf := files[build+"/fw.elf"]
		fw, err := ReadELF(bytes.NewReader(elf), int64(len(elf)))
		if err != nil {
			t.Fatalf("%s: got error %v, want its firmware", build, err)
		}
		total := score{}
		for _, core := range slices.Sorted(maps.Keys(gdb)) {
			b := files[build+"/"+core]
			d, err := Read(b)
			if err != nil || len(d.Lost) > 0 {
				t.Fatalf("%s/%s: got error %v and lost %q, want the whole dump", build, core, err, d.Lost)
			}
			total.add(compare(t, build+"/"+core, fw.Backtrace(d).Frames, gdb[core]))
		}

		scores[build] = total
		t.Logf("%-12s %s", build, total)
	}

	return scores
}

// TestBacktracesAreThoseOfGDB holds the backtraces of the set to GDB's: every frame of
// GDB is shown and at least 99.5 % of them are certain, no certain frame is wrong, and
// of those that were scanned for at most 5 % are.
func TestBacktracesAreThoseOfGDB(t *testing.T) {
	files := readSet(t, crashset)
	scores := scoreSet(t, files)
	if len(scores) != 10 {
		t.Errorf("%d builds, want 10", len(scores))
	}
	total := score{}
	for build, s := range scores {
		checkScore(t, build, s)
		total.add(s)
	}
	if total.gdb < 3000 {
		t.Errorf("%d frames of GDB, want more than 3000", total.gdb)
	}
}

// checkScore holds a score to what is promised of builds with debug information.
func checkScore(t *testing.T, build string, s score) {
	t.Helper()
	if s.shown != s.gdb || s.certain*1000 < s.gdb*995 || s.wrongCertain > 0 || s.astray*20 > s.scanned {
		t.Errorf("%s: got %s, want all frames that GDB shows, 99.5 %% of them for certain, none of these wrong and 5 %% of the scanned astray", build, s)
	}
}

// TestSummaryFitsOnALine holds the sentence of every dump of the set, the hostile ones
// too, to what fits on a line.
func TestSummaryFitsOnALine(t *testing.T) {
	files := readSet(t, crashset)
	all := builds(t, files)
	words := map[string]string{
		"m0-Os/s04.core":            "Jump to 0x200000d0 without the Thumb bit from call_ptr, main.c:31",
		"m0-Os/s05.core":            "Call through a null pointer from call_ptr, main.c:31",
		"m0-Os/s07.core":            "Breakpoint without a debugger, as of an assertion, in die, main.c:23",
		"m3-O2/s06.core":            "Jump to 0xb0000000, where no code can run, from call_ptr, main.c:31",
		"hostile/acce55ed-mid.core": "Stack overflow, by the mark of the device, in leaf_crash, main.c:18",
	}

	for name := range words {
		if files[name] == nil {
			t.Fatalf("got no %s, want it in the set", name)
		}
	}

	checked := 0
	for name, b := range files {
		d, err := Read(b)
		if err != nil {
			continue // no dump, as files beside them
		}
		fw := all[path.Dir(name)]
		if fw == nil {
			fw = all["m3-O2"]
		}
		for _, fw := range []*Firmware{fw, nil} {
			s := fw.Summary(d, fw.Backtrace(d))
			if n := utf8.RuneCountInString(s); n == 0 || n > 100 || strings.ContainsAny(s, "\n\t") {
				t.Errorf("%s: got %d columns, want 1 to 100 on one line: %q", name, n, s)
			}
			checked++
			if want, ok := words[name]; ok && fw != nil && s != want {
				t.Errorf("%s: got %q, want %q", name, s, want)
			}
		}
	}

	if checked < 700 {
		t.Errorf("%d sentences, want 700", checked)
	}
}
