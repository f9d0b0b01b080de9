// Package drawing draws the pictures of the documents as SVG: what a terminal shows
// ([Terminal]) and boxes with arrows between them ([Picture]).
//
// The letters are monospaced and each run of them says how wide it is, so that a
// picture is as wide with one font as with another, or with none of the fonts that it
// names. Its colours follow the reader's choice of light or dark. The same input gives
// the same bytes.
package drawing

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Sizes of letters, in units of the picture, which are pixels at full size.
const (
	Letter = 7.8 // width of one
	Line   = 18  // height of a line
)

const style = `<style>
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; fill: #1f2328 }
.ground { fill: #ffffff; stroke: #d1d9e0 }
.head { fill: #f6f8fa }
.box { fill: #f6f8fa; stroke: #8c959f }
.edge { fill: none; stroke: #59636e; stroke-width: 1.25 }
.tip { fill: #59636e }
.quiet { fill: #59636e }
.strong { font-weight: bold }
.red { fill: #b3261e }
.green { fill: #1a7f37 }
.yellow { fill: #8a5a00 }
.cyan { fill: #0a6b83 }
.label { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.ground { fill: #0d1117; stroke: #3d444d }
.head { fill: #161b22 }
.box { fill: #161b22; stroke: #6e7681 }
.edge { stroke: #9198a1 }
.tip { fill: #9198a1 }
.quiet { fill: #9198a1 }
.red { fill: #ff7b72 }
.green { fill: #56d364 }
.yellow { fill: #e3b341 }
.cyan { fill: #56d4dd }
.label { fill: #0d1117 }
}
</style>
`

// Picture is a drawing under way. Shapes lie above those that were drawn before.
type Picture struct {
	width, height float64
	title         string
	body          strings.Builder
}

// New returns an empty picture. The title is what it says to somebody who cannot see
// it.
func New(width, height float64, title string) *Picture {
	return &Picture{width: math.Ceil(width), height: math.Ceil(height), title: title}
}

// SVG returns the picture.
func (p *Picture) SVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", p.width, p.height, p.width, p.height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(p.title), style)
	fmt.Fprintf(&b, `<rect class="ground" x="0.5" y="0.5" width="%.0f" height="%.0f" rx="6"/>`+"\n", p.width-1, p.height-1)
	b.WriteString(p.body.String())
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// Width returns how wide a text is.
func Width(text string) float64 { return float64(utf8.RuneCountInString(text)) * Letter }

// words are what stands together; what two blanks or more part is a column.
var words = regexp.MustCompile(`\S+( \S+)*`)

// Text writes a text from x on, with its base line at y, in the classes of the style.
func (p *Picture) Text(x, y float64, class, text string) {
	if class != "" {
		class = fmt.Sprintf(" class=%q", class)
	}
	for _, at := range words.FindAllStringIndex(text, -1) {
		part := text[at[0]:at[1]]
		fmt.Fprintf(&p.body, `<text%s x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
			class, x+Width(text[:at[0]]), y, Width(part), html.EscapeString(part))
	}
}

// Rect draws a rectangle with round corners.
func (p *Picture) Rect(x, y, width, height float64, class string) {
	fmt.Fprintf(&p.body, `<rect class=%q x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="5"/>`+"\n", class, x, y, width, height)
}
