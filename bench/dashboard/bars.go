package main

import (
	"html/template"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// bar is one implementation in a picture of bars.
type bar struct {
	name  string
	speed results.Summary
	unit  string
	ratio string // "" where there is nothing to compare with
	lost  bool   // ours is the slower
	ink   ink
}

const (
	barPitch  = 24
	barHeight = 13
	barFoot   = 24 // the axis
	barHead   = 16
	barLeast  = 56 // a single bar is a picture too
	barEdge   = 4  // at the right: a browser's letters are a little wider than measured
)

// drawBars draws one bar a row, from zero, with its interval and, at its right,
// its value and, under the head, its ratio.
func drawBars(label, head string, bars []bar) (template.HTML, error) {
	height := max(barLeast, vg.Length(len(bars))*barPitch+barFoot)
	if head != "" {
		height += barHead
	}

	pic := newPicture(height)
	p := newPlot()
	p.HideY()
	p.Y.Min, p.Y.Max = -0.5, float64(len(bars))-0.5
	p.X.Min = 0
	var left, right, middle vg.Length
	name, value := lettering(inkText, sizeText, text.XLeft), lettering(inkText, sizeText, text.XRight)
	for _, b := range bars {
		p.X.Max = max(p.X.Max, b.speed.Center, top(b.speed))
		name.Font.Weight = weight(b.ink)
		left = max(left, name.Width(b.name))
		middle = max(middle, value.Width(quantity(b.speed.Center, b.unit)))
		right = max(right, value.Width(b.ratio))
	}

	quiet := lettering(inkQuiet, sizeQuiet, text.XRight)
	if head != "" {
		right = max(right, quiet.Width(head))
		pic.canvas.FillText(quiet, vg.Point{X: pictureWidth - barEdge, Y: height - barHead/2}, head)
		pic.canvas.Max.Y -= barHead
	}

	if p.X.Max == 0 {
		p.X.Max = 1
	}
	p.X.Tick.Marker = roundTicks{bars[0].unit}
	p.Add(verticals{}, barRows(bars))

	// The plot has the space between names and values, and a little more, so
	// that the labels of the outer ticks fit.
	area := draw.Crop(pic.canvas, left+10, -(middle + right + 26 + barEdge), 2, 0)
	p.Draw(area)
	data := p.DataCanvas(area)
	for i, b := range bars {
		y := data.Y((float64(len(bars)-1-i) + 0.5) / float64(len(bars)))
		name.Font.Weight = weight(b.ink)
		pic.canvas.FillText(name, vg.Point{X: 0, Y: y}, b.name)
		pic.canvas.FillText(value, vg.Point{X: pictureWidth - right - 12 - barEdge, Y: y}, quantity(b.speed.Center, b.unit))
		times := value
		times.Color = inkQuiet
		if b.lost {
			times.Color, times.Font.Weight = inkWorse, xfont.WeightBold
		}
		pic.canvas.FillText(times, vg.Point{X: pictureWidth - barEdge, Y: y}, b.ratio)
	}
	return pic.embed(label)
}

func top(s results.Summary) float64 {
	if s.Bounded() {
		return s.Hi
	}
	return s.Center
}

// barRows draws the bars from top to bottom.
type barRows []bar

// Plot implements plot.Plotter.
func (rows barRows) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i, b := range rows {
		middle := y(float64(len(rows) - 1 - i))
		low, high := middle-barHeight/2, middle+barHeight/2
		c.FillPolygon(b.ink, []vg.Point{{X: x(0), Y: low}, {X: x(b.speed.Center), Y: low}, {X: x(b.speed.Center), Y: high}, {X: x(0), Y: high}})
		if b.speed.Bounded() {
			whisker := draw.LineStyle{Color: inkWhisker, Width: 1.25}
			c.StrokeLine2(whisker, x(b.speed.Lo), middle, x(b.speed.Hi), middle)
			for _, end := range []float64{b.speed.Lo, b.speed.Hi} {
				c.StrokeLine2(whisker, x(end), middle-3, x(end), middle+3)
			}
		}
	}
}

// verticals draws a line through the picture at each tick of the x axis.
type verticals struct{}

// Plot implements plot.Plotter.
func (verticals) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, tick := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		c.StrokeLine2(draw.LineStyle{Color: inkRule, Width: 0.75}, x(tick.Value), c.Min.Y, x(tick.Value), c.Max.Y)
	}
}

// roundTicks puts two to four ticks at round values.
type roundTicks struct{ unit string }

// Ticks implements plot.Ticker. The last one has the unit, which goes for all.
func (t roundTicks) Ticks(low, high float64) []plot.Tick {
	step := roundStep((high - low) / 3)
	last := math.Floor(high/step+1e-9) * step
	var ticks []plot.Tick
	for i := int(math.Ceil(low/step - 1e-9)); float64(i)*step <= last*(1+1e-9); i++ {
		x := float64(i) * step
		ticks = append(ticks, plot.Tick{Value: x, Label: tickText(x, last, t.unit)})
	}
	return ticks
}

// roundStep is the next of 1, 2, 5, 10... that is not below x.
func roundStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if x <= power*m*(1+1e-9) {
			return power * m
		}
	}
	return power * 10
}
