package main

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"image/color"
	"regexp"
	"strconv"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is a colour by its role. Pictures are drawn in stand-in colours that
// become custom properties of the page's style sheet, so that one picture serves
// the light and the dark page.
type ink int

// The inks, named as in page.css.
const (
	inkText ink = iota
	inkQuiet
	inkRule
	inkOurs
	inkVariant
	inkPeer
	inkWhisker
	inkBetter
	inkWorse
)

var inkNames = [...]string{"text", "quiet", "rule", "ours", "variant", "peer", "whisker", "better", "worse"}

// RGBA makes ink a color.Color: its number is in the green part.
func (i ink) RGBA() (r, g, b, a uint32) {
	return color.NRGBA{R: 0xff, G: uint8(i)*16 + 8, B: 0, A: 0xff}.RGBA()
}

// pictureWidth is that of every picture, in units that are pixels at full size.
// It is narrow, so that a picture is legible on a telephone without scrolling.
const pictureWidth = 420

// picture is a canvas of the page.
type picture struct {
	svg    *vgsvg.Canvas
	canvas draw.Canvas
}

func newPicture(height vg.Length) picture {
	svg := vgsvg.New(pictureWidth, height)
	return picture{svg, draw.New(svg)}
}

var (
	svgStart  = regexp.MustCompile(`(?s)^.*?<svg[^>]*viewBox="([^"]*)"[^>]*>`)
	svgColour = regexp.MustCompile(`#FF([0-9A-F]{2})00`)
	svgFont   = regexp.MustCompile(`font-family:[^;]*;font-variant:[^;]*;font-weight:(normal|bold);font-style:[^;]*;`)
)

// embed returns the picture as an element of the page. label is what it says to
// somebody who cannot see it.
func (p picture) embed(label string) (template.HTML, error) {
	var b bytes.Buffer
	if _, err := p.svg.WriteTo(&b); err != nil {
		return "", err
	}
	w, h := p.svg.Size()
	drawn := svgStart.ReplaceAllString(b.String(), fmt.Sprintf(
		`<svg class="picture" role="img" aria-label="%s" width="%g" height="%g" viewBox="$1">`,
		html.EscapeString(label), w.Points(), h.Points()))
	drawn = svgColour.ReplaceAllStringFunc(drawn, func(hex string) string {
		green, _ := strconv.ParseUint(hex[3:5], 16, 8)
		return "var(--" + inkNames[green/16] + ")"
	})
	return template.HTML(measured(svgFont.ReplaceAllString(drawn, "font-weight:$1;"))), nil
}

var svgText = regexp.MustCompile(`(?s)<text ([^>]*?style="font-weight:(normal|bold);font-size:([0-9.]+)px;[^>]*)>([^<]*)</text>`)

// measured has each text say how wide it was when the picture was laid out, so that it
// is as wide in any font that a reader has.
func measured(svg string) string {
	return svgText.ReplaceAllStringFunc(svg, func(element string) string {
		m := svgText.FindStringSubmatch(element)
		size, err := strconv.ParseFloat(m[3], 64)
		content := html.UnescapeString(m[4])
		if err != nil || strings.TrimSpace(content) == "" {
			return element
		}
		style := lettering(inkText, vg.Length(size), text.XLeft)
		if m[2] == "bold" {
			style.Font.Weight = xfont.WeightBold
		}
		return fmt.Sprintf(`<text %s textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`, m[1], style.Width(content).Points(), m[4])
	})
}

// lettering returns a style of text, by which the pictures are laid out. Its font has
// the widths of Arial and Helvetica; where there is neither, see measured.
func lettering(i ink, size vg.Length, x text.XAlignment) text.Style {
	return text.Style{
		Color:   i,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  x,
		YAlign:  text.YCenter,
		Handler: plot.DefaultTextHandler,
	}
}

// weight sets our own rows apart from the peers'.
func weight(i ink) xfont.Weight {
	if i == inkOurs || i == inkVariant {
		return xfont.WeightBold
	}
	return xfont.WeightNormal
}

const (
	sizeText  = 12
	sizeQuiet = 11.5
)

// newPlot returns a plot with quiet axes.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle = draw.LineStyle{Color: inkRule, Width: 1}
		axis.Tick.LineStyle = draw.LineStyle{Color: inkRule, Width: 0.75}
		axis.Tick.Length = 4
		axis.Padding = 0
	}
	p.X.Tick.Label = lettering(inkQuiet, sizeQuiet, text.XCenter)
	p.X.Tick.Label.YAlign = text.YTop
	p.Y.Tick.Label = lettering(inkQuiet, sizeQuiet, text.XRight)
	return p
}
