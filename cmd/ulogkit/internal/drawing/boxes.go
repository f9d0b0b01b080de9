package drawing

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Box is a box with lines of text in it.
type Box struct {
	Name  string
	Lines []string // below the name
	Row   int      // from the top
}

// Arrow goes from one box to another, by their names.
type Arrow struct{ From, To string }

type placed struct {
	Box
	x, y, width, height float64
	bend                bool // where an arrow passes a row
}

// Boxes draws boxes row by row, with the arrows between them, which go down. The
// boxes of a row are put in the order in which arrows cross each other little, and an
// arrow has a place of its own in each row that it passes.
func Boxes(title string, boxes []Box, arrows []Arrow) ([]byte, error) {
	const pad, gap, rise = 9, 14, 42
	rows := map[int][]*placed{}
	byName := map[string]*placed{}
	for _, b := range boxes {
		width := Width(b.Name)
		for _, line := range b.Lines {
			width = max(width, Width(line))
		}
		at := &placed{Box: b, width: width + 2*pad, height: float64(1+len(b.Lines))*Line + pad}
		rows[b.Row] = append(rows[b.Row], at)
		byName[b.Name] = at
	}

	var ways [][]*placed
	var steps []Arrow // of the ways, from row to row
	for _, a := range arrows {
		from, to := byName[a.From], byName[a.To]
		if from == nil || to == nil || from.Row >= to.Row {
			return nil, fmt.Errorf("an arrow from %q to %q, which does not lead down", a.From, a.To)
		}
		way := []*placed{from}
		for row := from.Row + 1; row < to.Row; row++ {
			bend := &placed{Box: Box{Name: fmt.Sprintf("%s to %s, row %d", a.From, a.To, row), Row: row}, width: 4, bend: true}
			rows[row] = append(rows[row], bend)
			byName[bend.Name] = bend
			way = append(way, bend)
		}

		way = append(way, to)
		for i := range way[1:] {
			steps = append(steps, Arrow{way[i].Name, way[i+1].Name})
		}
		ways = append(ways, way)
	}

	order := slices.Sorted(maps.Keys(rows))
	total := 0.0
	for _, row := range rows {
		width := float64(gap)
		for _, b := range row {
			width += b.width + gap
		}
		total = max(total, width)
	}

	for range 24 {
		for _, n := range order {
			spread(rows[n], total, gap)
		}
		for _, n := range order {
			arrange(rows[n], byName, steps)
			spread(rows[n], total, gap)
		}
	}

	y := float64(gap)
	for _, n := range order {
		tallest := 0.0
		for _, b := range rows[n] {
			tallest = max(tallest, b.height)
		}
		for _, b := range rows[n] {
			b.y = y
			if b.bend {
				b.height = tallest
			}
		}
		y += tallest + rise
	}

	p := New(total, y-rise+gap, title)
	for _, way := range ways {
		p.connect(way)
	}

	for _, n := range order {
		for _, b := range rows[n] {
			if !b.bend {
				p.box(b)
			}
		}
	}
	return p.SVG(), nil
}

// spread puts a row's boxes side by side, in the middle.
func spread(row []*placed, total, gap float64) {
	width := 0.0
	for _, b := range row {
		width += b.width
	}
	between := max(gap, min((total-width)/float64(len(row)+1), 5*gap))
	x := (total - width - between*float64(len(row)-1)) / 2
	for _, b := range row {
		b.x = x
		x += b.width + between
	}
}

// arrange orders a row by where the boxes at the other ends of its arrows are.
func arrange(row []*placed, byName map[string]*placed, arrows []Arrow) {
	wanted := map[string]float64{}
	for _, b := range row {
		sum, n := 0.0, 0.0
		for _, a := range arrows {
			other := ""
			if a.From == b.Name {
				other = a.To
			} else if a.To == b.Name {
				other = a.From
			}
			if at := byName[other]; at != nil {
				sum, n = sum+at.x+at.width/2, n+1
			}
		}
		wanted[b.Name] = b.x + b.width/2
		if n > 0 {
			wanted[b.Name] = sum / n
		}
	}
	slices.SortStableFunc(row, func(a, b *placed) int { return cmp.Compare(wanted[a.Name], wanted[b.Name]) })
}

func (p *Picture) box(b *placed) {
	p.Rect(b.x, b.y, b.width, b.height, "box")
	y := b.y + Line
	p.Text(b.x+(b.width-Width(b.Name))/2, y, "strong", b.Name)
	for _, line := range b.Lines {
		y += Line
		p.Text(b.x+(b.width-Width(line))/2, y, "quiet", line)
	}
}

// connect draws an arrow from the lower edge of a box to the upper one of another, by
// way of the bends between them.
func (p *Picture) connect(way []*placed) {
	// It leaves and arrives where it need not turn much.
	shift := func(b *placed, towards *placed) float64 {
		room := max(0, b.width/2-14)
		return b.x + b.width/2 + max(-room, min(room, (towards.x+towards.width/2-b.x-b.width/2)*0.3))
	}
	from, last := way[0], len(way)-1
	x, y := shift(from, way[1]), from.y+from.height
	fmt.Fprintf(&p.body, `<path class="edge" d="M%.1f,%.1f`, x, y)
	for i, b := range way[1:] {
		toX, toY := shift(b, way[i]), b.y
		if i+1 == last {
			toY -= 6
		}
		middle := (toY - y) / 2
		fmt.Fprintf(&p.body, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x, y+middle, toX, toY-middle, toX, toY)
		if i+1 < last {
			toY += b.height
			fmt.Fprintf(&p.body, " V%.1f", toY)
		}
		x, y = toX, toY
	}

	fmt.Fprintln(&p.body, `"/>`)
	p.tip(x, y+6, 0, 1)
}

// tip draws the head of an arrow that comes in the direction.
func (p *Picture) tip(x, y, dx, dy float64) {
	n := math.Hypot(dx, dy)
	dx, dy = dx/n, dy/n
	points := make([]string, 0, 3)
	for _, at := range [][2]float64{{0, 0}, {-7, 3.5}, {-7, -3.5}} {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x+at[0]*dx-at[1]*dy, y+at[0]*dy+at[1]*dx))
	}
	fmt.Fprintf(&p.body, `<polygon class="tip" points="%s"/>`+"\n", strings.Join(points, " "))
}
