package main

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser opens a real one. Without Chromium the test is skipped, but not in CI.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}

	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("got no Chromium, want one in CI (Debian's package is chromium)")
		}
		t.Skip("no Chromium")
	}

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(5*time.Minute),
		chromedp.Flag("no-sandbox", true), // Chromium refuses its sandbox to root
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
	)

	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		// Cancel waits until the browser has ended and its directory is free.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Log("closing the browser:", err)
		}
		closeTab()
		stop()
	})

	// The first call starts the browser, whose life is that of its context:
	// no timeout there.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	return limited
}

// complaints collects what the browser's console would show in red or yellow.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, text)
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

func (c *complaints) listen(t *testing.T, ctx context.Context) {
	t.Helper()
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			c.add("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			c.add("console: " + string(e.Type))
		case *log.EventEntryAdded:
			c.add("log: " + e.Entry.Text + " " + e.Entry.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}

	enable := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{})
		return err
	})

	if err := chromedp.Do(ctx, enable); err != nil {
		t.Fatal(err)
	}
}

// look is what a reader of the page has before the eyes, in CSS pixels.
type look struct {
	Width, Viewport float64 // of what can be scrolled, and of the window
	Figures         []struct {
		ID                      string
		Pictures                int
		Left, Width, Height     float64 // of the picture
		Below                   float64 // from its lower edge to the table
		Rows, Columns, Narrower int     // of the table; rows with fewer cells than its head
		Letters                 float64 // size of the smallest
		Overlaps                []string
	}
	Links  []string
	IDs    []string
	Colour map[string]string
	Facts  struct {
		Text string
		Top  float64 // after scrolling down
	}
}

const lookScript = `(() => {
	const figures = [...document.querySelectorAll("figure")].map(f => {
		const svgs = f.querySelectorAll("svg"), table = f.querySelector("table");
		const it = {ID: f.id, Pictures: svgs.length, Overlaps: [], Rows: 0, Columns: 0, Narrower: 0};
		if (table) {
			const head = table.tHead.rows[0].cells.length;
			it.Columns = head;
			it.Rows = table.tBodies[0].rows.length;
			it.Narrower = [...table.tBodies[0].rows].filter(r => r.cells.length != head).length;
		}
		if (svgs.length) {
			const box = svgs[0].getBoundingClientRect();
			Object.assign(it, {Left: box.left, Width: box.width, Height: box.height, Letters: 1e9});
			it.Below = table ? table.getBoundingClientRect().top - box.bottom : -1;
			const scale = box.width / svgs[0].viewBox.baseVal.width;
			const texts = [...svgs[0].querySelectorAll("text")].map(e => ({text: e.textContent, box: e.getBoundingClientRect(), size: parseFloat(getComputedStyle(e).fontSize)}));
			const bars = f.id.endsWith("bars") ? [...svgs[0].querySelectorAll("path")].filter(e => getComputedStyle(e).fill != "none").map(e => ({text: "a bar", box: e.getBoundingClientRect()})) : [];
			texts.forEach((a, i) => {
				it.Letters = Math.min(it.Letters, a.size * scale);
				if (a.box.left < box.left - 1 || a.box.right > box.right + 1 || a.box.top < box.top - 3 || a.box.bottom > box.bottom + 3) it.Overlaps.push(a.text + " and the edge");
				texts.slice(i + 1).concat(bars).forEach(b => {
					const w = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
					const h = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
					if (w > 1 && h > 3) it.Overlaps.push(a.text + " and " + b.text);
				});
			});
		}
		return it;
	});
	const style = getComputedStyle(document.documentElement), colour = {};
	for (const name of ["page", "card", "text", "quiet", "ours", "better", "worse", "short"]) colour[name] = style.getPropertyValue("--" + name).trim();
	window.scrollTo(0, 2000);
	const facts = document.querySelector(".facts"), top = facts.getBoundingClientRect().top;
	window.scrollTo(0, 0);
	return {
		Width: document.documentElement.scrollWidth, Viewport: document.documentElement.clientWidth,
		Figures: figures, Colour: colour,
		Links: [...document.links].map(a => a.href),
		IDs: [...document.querySelectorAll("[id]")].map(e => e.id),
		Facts: {Text: facts.textContent, Top: top},
	};
})()`

// theme makes the page believe that its reader prefers the one or the other.
func theme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// fonts are the files that a browser of the test may use; "" stands for what the
// machine has.
var fonts = map[string][]string{
	"these":            nil,
	"DejaVu alone":     {"DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"},
	"Liberation alone": {"LiberationSans-*", "LiberationMono-*"},
	"neither":          {"DejaVuSerif"},
}

// withFonts makes the browsers of the test see some of the machine's fonts alone. It is
// false where the machine lacks one that is wanted.
func withFonts(t *testing.T, names []string) bool {
	t.Helper()
	if names == nil {
		return true
	}
	dir := t.TempDir()
	available := filepath.Join(dir, "fonts")
	if err := os.Mkdir(available, 0o755); err != nil {
		t.Fatal(err)
	}

	found := false
	for _, pattern := range names {
		for _, place := range []string{"/usr/share/fonts/truetype/*/", "/usr/share/fonts/*/", "/usr/share/fonts/"} {
			files, err := filepath.Glob(place + pattern + ".ttf")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				found = true
				if err := os.Symlink(file, filepath.Join(available, filepath.Base(file))); err != nil && !os.IsExist(err) {
					t.Fatal(err)
				}
			}
		}
	}

	config := filepath.Join(dir, "fonts.conf")
	text := fmt.Sprintf(`<?xml version="1.0"?><fontconfig><dir>%s</dir><cachedir>%s</cachedir></fontconfig>`, available, filepath.Join(dir, "cache"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FONTCONFIG_FILE", config)
	return found
}

// The page is right with whatever fonts there are.
func TestPageIsRightWithAnyFonts(t *testing.T) {
	for name, names := range fonts {
		t.Run(name, func(t *testing.T) {
			if !withFonts(t, names) {
				if os.Getenv("CI") != "" {
					t.Fatalf("got not all of the fonts %q, want them in CI: fonts-dejavu-core, fonts-liberation", names)
				}
				t.Skipf("this machine has no fonts %q", names)
			}
			testBrowser(t, names == nil)
		})
	}
}

// testBrowser looks at the page as its readers would: at all pages, with pictures of
// them, or at the one that has something of everything.
func testBrowser(t *testing.T, all bool) {
	ctx := browser(t)
	var seen complaints
	seen.listen(t, ctx)

	// The test would notice a page that complains.
	bad := filepath.Join(t.TempDir(), "bad.html")
	if err := os.WriteFile(bad, []byte(`<!DOCTYPE html><img src="none.png"><script>console.error("x"); throw 1</script>`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+bad)); err != nil {
		t.Fatal(err)
	}
	if list := seen.take(); len(list) < 3 {
		t.Fatalf("got %d complaints of a bad page, %q, want at least 3", len(list), list)
	}

	for _, from := range []struct{ name, results string }{
		{"story", write(t, story...)},
		{"years", write(t, years()...)},
		{"results", "../results"},
	} {
		if files, err := filepath.Glob(filepath.Join(from.results, "*.txt")); err != nil || len(files) == 0 || !all && from.name != "story" {
			continue // a checkout before the first run
		}
		path, err := filepath.Abs(filepath.Join("..", "..", "build", "dashboard-"+from.name+".html"))
		if err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := command(t, "-results", from.results, "-o", path); code != 0 {
			t.Fatalf("got exit code %d and %q, want a page", code, stderr)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate("file://"+path)); err != nil {
			t.Fatal(err)
		}
		for _, screen := range []struct {
			name          string
			width, height int64
			theme         string
		}{
			{"wide", 1440, 900, "light"},
			{"wide", 1440, 900, "dark"},
			{"narrow", 390, 844, "light"},
			{"narrow", 390, 844, "dark"},
		} {
			if from.name == "years" && (screen.name == "wide") == (screen.theme == "dark") {
				continue // tall pages take long, and two of four show it
			}
			name := strings.Join([]string{from.name, screen.name, screen.theme}, "-")
			t.Run(name, func(t *testing.T) {
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(screen.width, screen.height), theme(screen.theme)); err != nil {
					t.Fatal(err)
				}
				l, err := chromedp.Run(ctx, chromedp.Evaluate[look](lookScript))
				if err != nil {
					t.Fatal(err)
				}
				checkLook(t, l, float64(screen.width), path)
				if dark := luminance(t, l.Colour["page"]) < 0.2; dark != (screen.theme == "dark") {
					t.Errorf("got the page in %s, want it dark: %v", l.Colour["page"], screen.theme == "dark")
				}
				if !all {
					return // the pictures that are kept are of all fonts
				}
				shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "dashboard-"+name+".png"), shot, 0o600); err != nil {
					t.Fatal(err)
				}
				if list := seen.take(); len(list) > 0 {
					t.Errorf("got complaints of the browser %q, want none", list)
				}
			})
		}
	}
}

func checkLook(t *testing.T, l look, width float64, path string) {
	t.Helper()
	if l.Viewport != width || l.Width > width {
		t.Errorf("the page is %v wide in a window of %v, of %v wanted", l.Width, l.Viewport, width)
	}
	pictures := 0
	for _, f := range l.Figures {
		if f.Rows == 0 || f.Columns < 4 || f.Narrower > 0 {
			t.Errorf("%s: got a table of %d rows and %d columns, %d rows narrower, want some rows, at least 4 columns and none narrower", f.ID, f.Rows, f.Columns, f.Narrower)
		}
		if f.Pictures == 0 && strings.HasSuffix(f.ID, "elsewhere") {
			continue
		}

		pictures++
		if f.Pictures != 1 || f.Width < 300 || f.Width > 560 || f.Height < 40 || f.Left < 0 || f.Left+f.Width > width {
			t.Errorf("%s: got %d pictures of %v x %v from %v, want 1, 300 to 560 wide, at least 40 high, within the %v of the window",
				f.ID, f.Pictures, f.Width, f.Height, f.Left, width)
		}
		if f.Below < 0 || f.Below > 20 {
			t.Errorf("%s: got the table %v below the picture, want 0 to 20", f.ID, f.Below)
		}

		if f.Letters < 9 || f.Letters > 18 {
			t.Errorf("%s: got letters of %v pixels, want 9 to 18", f.ID, f.Letters)
		}
		if len(f.Overlaps) > 0 {
			t.Errorf("%s: text overlaps: %q, want no Overlaps", f.ID, f.Overlaps)
		}
	}

	if pictures < 6 {
		t.Errorf("%d pictures, want at least 6", pictures)
	}
	if l.Facts.Top != 0 || !strings.Contains(l.Facts.Text, "go1.") || !strings.Contains(l.Facts.Text, "commit") {
		t.Errorf("after scrolling: got the head at %v with %q, want it at 0 with Go version and commit", l.Facts.Top, l.Facts.Text)
	}

	checkLinks(t, l, path)
	for _, ground := range []string{"page", "card"} {
		for _, ink := range []string{"text", "quiet", "ours", "better", "worse", "short"} {
			if c := contrast(t, l.Colour[ink], l.Colour[ground]); c < 4.5 {
				t.Errorf("%s (%s) on %s (%s): got a contrast of %.1f, want at least 4.5, which is legible", ink, l.Colour[ink], ground, l.Colour[ground], c)
			}
		}
	}
}

// checkLinks follows each link, within the page or to a file.
func checkLinks(t *testing.T, l look, path string) {
	t.Helper()
	ids := map[string]int{}
	for _, id := range l.IDs {
		if ids[id]++; ids[id] == 2 {
			t.Errorf("got two elements called %s, want one", id)
		}
	}

	files := 0
	for _, link := range l.Links {
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "file" {
			t.Errorf("link to %s: %v, want Scheme \"file\"", link, err)
			continue
		}
		if u.Path == path {
			if ids[u.Fragment] == 0 {
				t.Errorf("got a link to #%s, want an element of that name", u.Fragment)
			}
			continue
		}
		files++
		if _, err := os.Stat(u.Path); err != nil {
			t.Error(err)
		}
	}

	if files == 0 || files == len(l.Links) {
		t.Errorf("got %d of %d links to files, want some of them, not all", files, len(l.Links))
	}
}

// contrast is that of WCAG 2, section 1.4.3.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
	if err != nil || len(colour) != 7 {
		t.Fatalf("got colour %q, error %v, want # and six hexadecimal digits", colour, err)
	}
	sum := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(n>>(8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
