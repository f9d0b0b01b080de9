package drawing

import (
	"fmt"
	"math"
)

// State is a state of a machine, with its place in a grid.
type State struct {
	Name        string
	Column, Row int
}

// Step leads from one state to another, by what its label says.
type Step struct{ From, To, Label string }

// Machine draws states and the steps between them. Steps between the same two states
// share an arrow.
func Machine(title string, states []State, steps []Step) ([]byte, error) {
	const width, height, across, down, margin = 104, 34, 262, 92, 20
	byName := map[string]*placed{}
	columns, rows := 0, 0
	for _, s := range states {
		columns, rows = max(columns, s.Column), max(rows, s.Row)
		byName[s.Name] = &placed{
			Box: Box{Name: s.Name}, width: width, height: height,
			x: margin + float64(s.Column)*across, y: margin + float64(s.Row)*down,
		}
	}
	p := New(float64(columns)*across+width+2*margin, float64(rows)*down+height+2*margin, title)

	var arrows []Step
	for _, s := range steps {
		if byName[s.From] == nil || byName[s.To] == nil || s.From == s.To {
			return nil, fmt.Errorf("a step from %q to %q, which are not two states with a place", s.From, s.To)
		}
		shared := false
		for i := range arrows {
			if arrows[i].From == s.From && arrows[i].To == s.To {
				arrows[i].Label += ", " + s.Label
				shared = true
			}
		}

		if !shared {
			arrows = append(arrows, s)
		}
	}

	for _, a := range arrows {
		back := false
		for _, b := range arrows {
			back = back || b.From == a.To && b.To == a.From
		}
		p.step(byName[a.From], byName[a.To], a.Label, back)
	}

	for _, s := range states {
		b := byName[s.Name]
		p.Rect(b.x, b.y, b.width, b.height, "box")
		p.Text(b.x+(b.width-Width(b.Name))/2, b.y+b.height/2+4.5, "strong", b.Name)
	}
	return p.SVG(), nil
}

// step draws an arrow from the edge of a box to that of another, a little aside when
// another goes back.
func (p *Picture) step(from, to *placed, label string, back bool) {
	x1, y1 := from.x+from.width/2, from.y+from.height/2
	x2, y2 := to.x+to.width/2, to.y+to.height/2
	length := math.Hypot(x2-x1, y2-y1)
	dx, dy := (x2-x1)/length, (y2-y1)/length
	aside := 0.0
	if back {
		aside = 9
	}

	x1, y1, x2, y2 = x1-dy*aside, y1+dx*aside, x2-dy*aside, y2+dx*aside
	// How far it is from the middle of a box to its edge in this direction.
	edge := func(b *placed) float64 {
		return math.Min((b.width/2)/math.Max(math.Abs(dx), 1e-9), (b.height/2-math.Abs(dx)*aside)/math.Max(math.Abs(dy), 1e-9))
	}
	x1, y1 = x1+dx*edge(from), y1+dy*edge(from)
	x2, y2 = x2-dx*edge(to), y2-dy*edge(to)
	fmt.Fprintf(&p.body, `<path class="edge" d="M%.1f,%.1f L%.1f,%.1f"/>`+"\n", x1, y1, x2-6*dx, y2-6*dy)
	p.tip(x2, y2, dx, dy)

	// The label is above or below a flat arrow, and on a steep one.
	x, y := (x1+x2)/2-Width(label)/2, (y1+y2)/2+4
	if math.Abs(dy) < 0.1 {
		y += math.Copysign(12, dx*aside-0.5)
	} else {
		fmt.Fprintf(&p.body, `<rect class="label" x="%.1f" y="%.1f" width="%.1f" height="17"/>`+"\n", x-3, y-13, Width(label)+6)
	}
	p.Text(x, y, "quiet", label)
}
