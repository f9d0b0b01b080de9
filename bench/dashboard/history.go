package main

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// series is one implementation through the runs of one machine.
type series struct {
	ours   bool
	ink    ink
	points []point
	taken  *labels
}

// point is one run of a series: speed relative to the series' first run.
type point struct {
	run    int // index among the runs of the picture
	speed  results.Summary
	marked string // a significant change, "" otherwise
	better bool
}

// instant is one run of a picture of history, which bears the name of its commit.
type instant struct {
	date time.Time
	goes string // Go version

	commit string
}

const historyHeight = 164

// drawHistory draws speed through the runs. Every series begins at 100 %: if all
// move together, the machine moved.
func drawHistory(label string, runs []instant, lines []series) (template.HTML, error) {
	pic := newPicture(historyHeight)
	p := newPlot()
	p.X.Min, p.X.Max = -0.5, float64(len(runs))-0.5
	p.X.Tick.Marker = runTicks(runs)
	p.Y.Tick.Marker = percentTicks{}
	// Noise of a percent or two must not look like a mountain.
	p.Y.Min, p.Y.Max = 0.9, 1.1
	for _, line := range lines {
		for _, at := range line.points {
			p.Y.Min = min(p.Y.Min, at.speed.Center)
			p.Y.Max = max(p.Y.Max, at.speed.Center)
			if line.ours && at.speed.Bounded() {
				p.Y.Min, p.Y.Max = min(p.Y.Min, at.speed.Lo), max(p.Y.Max, at.speed.Hi)
			}
		}
	}

	room := (p.Y.Max - p.Y.Min) * 0.16 // for the marks
	p.Y.Min, p.Y.Max = max(0, p.Y.Min-room), p.Y.Max+room
	var taken labels
	p.Add(horizontals{}, versions{runs, &taken})
	for _, ours := range []bool{false, true} { // ours on top
		for _, line := range lines {
			if line.ours == ours {
				line.taken = &taken
				p.Add(line)
			}
		}
	}

	p.Draw(draw.Crop(pic.canvas, 0, -6, 0, -2))
	return pic.embed(label)
}

// Plot implements plot.Plotter.
func (s series) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := draw.LineStyle{Color: s.ink, Width: 1}
	if s.ours {
		style.Width = 1.75
	}

	path := make([]vg.Point, 0, len(s.points))
	for _, at := range s.points {
		path = append(path, vg.Point{X: x(float64(at.run)), Y: y(at.speed.Center)})
	}
	if len(path) > 1 {
		c.StrokeLines(style, path)
	}

	for i, at := range s.points {
		radius := vg.Length(1.75)
		if s.ours {
			radius = 3.25
			s.interval(c, path[i].X, y, at)
			s.taken.block(path[i], radius)
		}
		c.DrawGlyph(draw.GlyphStyle{Color: s.ink, Radius: radius, Shape: draw.CircleGlyph{}}, path[i])
	}

	// The newest first, so that it is the older ones that lack room.
	for i, at := range slices.Backward(s.points) {
		if at.marked != "" {
			s.mark(c, path[i].X, y, at)
		}
	}
}

func (s series) interval(c draw.Canvas, x vg.Length, y func(float64) vg.Length, at point) {
	if !at.speed.Bounded() {
		return
	}
	low, high := y(at.speed.Lo), y(at.speed.Hi)
	style := draw.LineStyle{Color: s.ink, Width: 1.25}
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-4, low, x+4, low)
	c.StrokeLine2(style, x-4, high, x+4, high)
}

// mark writes a change where the line does not go: above a rise, below a fall.
// Where there is no room for the text, its arrow must do, and the table below.
func (s series) mark(c draw.Canvas, x vg.Length, y func(float64) vg.Length, at point) {
	low, high := at.speed.Center, at.speed.Center
	if at.speed.Bounded() {
		low, high = at.speed.Lo, at.speed.Hi
	}
	style, to := lettering(inkWorse, sizeQuiet, text.XCenter), y(low)-10
	if at.better {
		style.Color, to = inkBetter, y(high)+10
	}
	style.Font.Weight = font.WeightBold
	arrow, _, _ := strings.Cut(at.marked, " ")
	for _, mark := range []string{at.marked, arrow} {
		// At the edges the text would leave the picture.
		half := style.Width(mark) / 2
		middle := min(max(x, c.Min.X+half), c.Max.X-half)
		if s.taken.add(middle-half, middle+half, to) {
			c.FillText(style, vg.Point{X: middle, Y: to}, mark)
			return
		}
	}
}

// labels are the places in a picture that are taken.
type labels []vg.Rectangle

// add takes the place of a text, unless some of it is taken.
func (l *labels) add(left, right, middle vg.Length) bool {
	const half = sizeQuiet / 2
	place := vg.Rectangle{Min: vg.Point{X: left - 1, Y: middle - half}, Max: vg.Point{X: right + 1, Y: middle + half}}
	for _, other := range *l {
		if place.Min.X < other.Max.X && other.Min.X < place.Max.X && place.Min.Y < other.Max.Y && other.Min.Y < place.Max.Y {
			return false
		}
	}
	*l = append(*l, place)
	return true
}

// block takes the place of a dot.
func (l *labels) block(dot vg.Point, radius vg.Length) {
	*l = append(*l, vg.Rectangle{Min: vg.Point{X: dot.X - radius, Y: dot.Y - radius}, Max: vg.Point{X: dot.X + radius, Y: dot.Y + radius}})
}

// horizontals draws a line through the picture at each tick of the y axis, and a
// stronger one at 100 %.
type horizontals struct{}

// Plot implements plot.Plotter.
func (horizontals) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	for _, tick := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		style := draw.LineStyle{Color: inkRule, Width: 0.75}
		if math.Abs(tick.Value-1) < 1e-9 {
			style.Color = inkQuiet
		}
		c.StrokeLine2(style, c.Min.X, y(tick.Value), c.Max.X, y(tick.Value))
	}
}

// versions draws a line where the Go version changed.
type versions struct {
	runs  []instant
	taken *labels
}

// Plot implements plot.Plotter.
func (v versions) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	style := lettering(inkQuiet, sizeQuiet, text.XLeft)
	for i := len(v.runs) - 1; i > 0; i-- {
		name := v.runs[i].goes
		if name == v.runs[i-1].goes {
			continue
		}
		at := x(float64(i) - 0.5)
		c.StrokeLine2(draw.LineStyle{Color: inkQuiet, Width: 0.75, Dashes: []vg.Length{3, 3}}, at, c.Min.Y, at, c.Max.Y)
		left, right := at+4, at+4+style.Width(name)
		if right > c.Max.X {
			left, right = at-4-style.Width(name), at-4
		}
		if v.taken.add(left, right, c.Min.Y+8) {
			c.FillText(style, vg.Point{X: left, Y: c.Min.Y + 8}, name)
		}
	}
}

// runTicks names as many runs as fit, the newest always.
type runTicks []instant

// Ticks implements plot.Ticker.
func (t runTicks) Ticks(float64, float64) []plot.Tick {
	const fit = 5
	every := (len(t) + fit - 1) / fit
	var ticks []plot.Tick
	for i := range t {
		label := ""
		if (len(t)-1-i)%every == 0 {
			label = t[i].commit
			if label == "" {
				label = t[i].date.Format(time.DateOnly)
			}
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: label})
	}
	return ticks
}

// percentTicks are roundTicks in percent.
type percentTicks struct{}

// Ticks implements plot.Ticker.
func (percentTicks) Ticks(low, high float64) []plot.Tick {
	ticks := roundTicks{}.Ticks(low, high)
	for i := range ticks {
		ticks[i].Label = strings.TrimSuffix(fmt.Sprintf("%.1f", ticks[i].Value*100), ".0") + " %"
	}
	return ticks
}
