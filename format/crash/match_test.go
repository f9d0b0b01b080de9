package crash

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// TestRightBuildIsNeverDoubted reads every dump of the set with every build. The right
// one is never doubted, and few of the others are believed: mostly those that share
// the code.
func TestRightBuildIsNeverDoubted(t *testing.T) {
	files := readSet(t, crashset)
	all := builds(t, files)
	wrong, believed := 0, 0
	for name, b := range files {
		if !strings.HasSuffix(name, ".core") || path.Dir(name) == "hostile" {
			continue
		}
		d := mustRead(t, b)
		for build, fw := range all {
			m := fw.Match(d)
			if len(m.Reasons) == 0 {
				t.Errorf("%s with %s: got %s without a reason, want one", name, build, m.Verdict)
			}
			switch {
			case build == path.Dir(name):
				if m.Verdict != Fits {
					t.Errorf("%s: got %s, %q, want %s", name, m.Verdict, m.Reasons, Fits)
				}
			case sameCode(build, path.Dir(name)):
			default:
				wrong++
				if m.Verdict == Fits {
					believed++
				}
			}
		}
	}

	t.Logf("%d of %d wrong builds are believed", believed, wrong)
	if wrong < 4000 || believed*100 > wrong {
		t.Errorf("got %d of %d wrong builds believed, want at most 1 %% of at least 4000", believed, wrong)
	}
}

// sameCode reports whether two builds of the set differ in their debug information
// alone.
func sameCode(a, b string) bool {
	same := []string{"m3-O2", "m3-O2-gz", "m3-O2-exidx"}
	return slices.Contains(same, a) && slices.Contains(same, b)
}

// TestChooseTakesTheRightBuild takes the right build of several.
func TestChooseTakesTheRightBuild(t *testing.T) {
	files := readSet(t, crashset)
	all := builds(t, files)
	var candidates []*Firmware
	for _, build := range []string{"m0-Os", "m3-Os", "m4-O2", "m33-Os", "cl-O2", "m3-O2-lto"} {
		candidates = append(candidates, all[build])
	}
	for _, dump := range []string{"m3-Os/s09", "cl-O2/s22", "m33-Os/s16", "m0-Os/s01", "m4-O2/s18", "m3-O2-lto/s15"} {
		fw, m := Choose(candidates, mustRead(t, files[dump+".core"]))
		if fw != all[path.Dir(dump)] || m.Verdict != Fits {
			t.Errorf("%s: got candidate %d, %s: %q, want its own build, %s", dump, slices.Index(candidates, fw), m.Verdict, m.Reasons, Fits)
		}
	}
	if fw, _ := Choose(nil, mustRead(t, files["m3-Os/s09.core"])); fw != nil {
		t.Error("of no builds: got one chosen, want none")
	}
}

// TestVerdictFollowsCommitBuildIDAndCode has a build that names itself, in the dump
// and in the firmware.
func TestVerdictFollowsCommitBuildIDAndCode(t *testing.T) {
	const commit, other = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
	head := new(format.CoreDumpHeader)
	set := func(hash, version string) {
		if err := head.SetGitHash(hash); err != nil {
			t.Fatal(err)
		}
		if err := head.SetVersionString(version); err != nil {
			t.Fatal(err)
		}
	}

	dump := testDump{reg: [16]uint32{14: calls(middleAt), 15: leafAt + 8}, stack: chain()}
	code := testFirmware(nil, false).blocks[0].Data[:64]
	changed := bytes.Clone(code)
	changed[0] ^= 0xff
	broken := bytes.Repeat([]byte{0xa5}, 64)
	for _, tt := range []struct {
		name          string
		hash, version string
		holds         string // a constant of the firmware
		buildID       []byte
		memory        []byte // of the device, where the code is
		want          Verdict
	}{
		{name: "nothing in common", hash: commit[:7], holds: "hello", want: Fits},
		{name: "the commit", hash: commit, holds: "x\x00" + commit + "\x00", want: Proven},
		{name: "a short commit", hash: commit[:8], holds: commit + "\x00", want: Proven},
		{name: "too short to tell", hash: commit[:4], holds: commit + "\x00", want: Fits},
		{name: "another commit", hash: commit, holds: "x\x00" + other + "\x00", want: Doubtful},
		{name: "a version that is no commit", hash: "v1.0-rc1", holds: "v1.0-rc1\x00", want: Fits},
		{name: "the build id", hash: "dead", version: "v1 0123456789abcdef", buildID: []byte("\x01\x23\x45\x67\x89\xab\xcd\xef"), want: Proven},
		{name: "another build id", version: "v1 fedcba9876543210", buildID: []byte("\x01\x23\x45\x67\x89\xab\xcd\xef"), want: Fits},
		{name: "the code itself", memory: code, want: Proven},
		{name: "the code with a broken byte", memory: changed, want: Doubtful},
		{name: "other code", memory: broken, want: Wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fw := testFirmware(plain(), false)
			copy(fw.blocks[0].Data[middleAt+ofsReturn-4-leafAt:], call(middleAt+ofsReturn-4, leafAt))
			fw.buildID = tt.buildID
			fw.blocks = append(fw.blocks, firmware.Block{Addr: 0x9000, Data: []byte(tt.holds)})
			set(tt.hash, tt.version)
			d := dump.parse(t)
			d.Header = head
			if tt.memory != nil {
				d.Regions = append(d.Regions, format.MemoryRegion{Start: leafAt, End: leafAt + uint32(len(tt.memory)), Data: tt.memory})
				d.finish()
			}
			m := fw.Match(d)
			if m.Verdict != tt.want {
				t.Errorf("match is %s: %q, want %s", m.Verdict, m.Reasons, tt.want)
			}
		})
	}
}

// call is BL at an address, to a function.
func call(at, function uint32) []byte {
	offset := function - at - 4
	s, i1, i2 := offset>>24&1, offset>>23&1, offset>>22&1
	h := 0xf000 | s<<10 | offset>>12&0x3ff
	h2 := 0xd000 | (^(i1^s)&1)<<13 | (^(i2^s)&1)<<11 | offset>>1&0x7ff
	return []byte{byte(h), byte(h >> 8), byte(h2), byte(h2 >> 8)}
}

// TestNamesAreShownDemangled has names of linkers as a person reads them.
func TestNamesAreShownDemangled(t *testing.T) {
	for name, want := range map[string]string{
		"main": "main", "work.constprop.0": "work", "work.isra.0.part.1": "work", "work.cold": "work", ".L3": ".L3", "": "",
		"_ZN7drivers3bus6Sensor4readEi":                "drivers::bus::Sensor::read",
		"_ZN7drivers3bus4RingIiLj8EE4pushEi.isra.0":    "drivers::bus::Ring<int, 8u>::push",
		"_ZSt9terminatev":                              "std::terminate",
		"_RNvCs1234_7mycrate3foo":                      "mycrate::foo",
		"_ZN4core9panicking5panic17h0123456789abcdefE": "core::panicking::panic",
		"_ZNKSt6vectorIiSaIiEE4sizeEv":                 "std::vector<int, std::allocator<int> >::size",
		"_Z" + strings.Repeat("N", 4000):               "_Z" + strings.Repeat("N", 4000),
		"_ZZN3foo3barEvENKUlvE_clEv":                   "foo::bar()::{lambda()#1}::operator()",
		"_ZN":                                          "_ZN",
	} {
		if got := display(name); got != want && !(strings.Contains(want, "()") && strings.Contains(got, "operator()")) {
			t.Errorf("%.60q is shown as %.60q, want %.60q", name, got, want)
		}
	}
}

// TestFirmwareIsReadByManyAtOnce uses one firmware from several goroutines.
func TestFirmwareIsReadByManyAtOnce(t *testing.T) {
	files := readSet(t, crashset)
	fw := builds(t, files)["m3-O2-gz"]
	d := mustRead(t, files["m3-O2-gz/s16.core"])
	want := names(fw.Backtrace(d).Frames)
	done := make(chan string)
	for range 4 {
		go func() {
			fw.Match(d)
			done <- names(fw.Backtrace(d).Frames)
		}()
	}
	for range 4 {
		if got := <-done; got != want {
			t.Errorf("calls are %s, want %s", got, want)
		}
	}
}

// TestArchIsReadFromEachBuild reads what each build was made for.
func TestArchIsReadFromEachBuild(t *testing.T) {
	all := builds(t, readSet(t, crashset))
	for build, want := range map[string]firmware.Arch{"m0-Os": firmware.ArchV6SM, "m3-O2": 10, "m4-O2": 13, "m33-Os": 17, "cl-O2": 10} {
		if got := all[build].arch; got != want {
			t.Errorf("%s is for architecture %d, want %d", build, got, want)
		}
	}
}
