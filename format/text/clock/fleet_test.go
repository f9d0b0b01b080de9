package clock

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sent is a buffer of a simulated device with the truth about it.
type sent struct {
	Buffer
	boot  int
	base  int64 // the device's tick before the first frame, wraps counted
	wall  []int64
	own   []int64 // times of the frames by the device's counter, in microseconds
	tick  int64   // of the header, wraps counted
	kept  bool    // never lost: what it says of a wrap or a rate nothing else does
	at    []int64 // ticks of the frames
	made  int64   // when the header was written
	came  int64   // when it arrived, if that is known
	first bool    // its header has the rate that its boot began with
}

// device simulates what a device writes in some boots.
type device struct {
	rate     uint32
	epochs   bool
	arrivals bool // what it sends is delivered within a minute, and it is known when
	changes  bool // its counter goes on at another rate, once in a boot
	ppm      int64
	worst    bool // it wraps and restarts, whatever is drawn
}

// draw draws what is not given.
func (d device) draw(t *rapid.T) device {
	d.rate = rapid.SampledFrom([]uint32{100, 1000, 32768}).Draw(t, "rate")
	d.epochs = rapid.Bool().Draw(t, "epochs")
	d.arrivals = rapid.Bool().Draw(t, "arrivals")
	d.changes = rapid.Bool().Draw(t, "changes")
	return d
}

// counter is what turns ticks of one boot into time: its rate changes at a tick.
type counter struct {
	rate, then uint32
	at         int64 // tick of the change
}

func (c counter) rateAt(tick int64) uint32 {
	if tick > c.at {
		return c.then
	}
	return c.rate
}

// micros returns the time since tick 0, with a clock that is too slow by ppm.
func (c counter) micros(tick, ppm int64) int64 {
	us := min(tick, c.at)*1_000_000/int64(c.rate) + max(tick-c.at, 0)*1_000_000/int64(c.then)
	return us + us/1_000_000*ppm + us%1_000_000*ppm/1_000_000
}

// fleet draws the buffers of a device in the order in which they were written.
func (d device) fleet(t *rapid.T) (all []sent) {
	boots := rapid.IntRange(1, 4).Draw(t, "boots")
	if d.worst {
		boots++
	}
	wall := int64(1_700_000_000_000_000)
	id := uint64(1)
	for boot := range boots {
		tick := int64(rapid.IntRange(0, 2*int(d.rate)).Draw(t, "init")) // the agent begins
		old := boot == 0 && (d.worst || rapid.Bool().Draw(t, "old"))
		if old { // its counter wraps after the first report
			tick = wrap - int64(rapid.IntRange(151*int(d.rate), 1000*int(d.rate)).Draw(t, "before the wrap"))
		}
		start := tick
		wall += tick % (2 * int64(d.rate)) * 1_000_000 / int64(d.rate) // from 0 to there
		last := tick
		reports := rapid.IntRange(1, 12).Draw(t, "reports")
		if d.worst {
			reports += 5
		}
		ticks := counter{d.rate, d.rate, 1 << 40}
		change := reports
		if d.changes && !old { // a wrap in between could as well be a restart
			change = rapid.IntRange(1, reports).Draw(t, "change")
		}
		us := func(tick int64) int64 { return wall + ticks.micros(tick, d.ppm) - ticks.micros(start, d.ppm) }
		for report := range reports {
			s := sent{boot: boot, base: last, kept: old && tick == start}
			if report == change {
				ticks.at = tick + int64(rapid.IntRange(0, 40*int(d.rate)).Draw(t, "until the change"))
				ticks.then = rapid.SampledFrom([]uint32{50, 512, 16384, 33000}).Draw(t, "then")
				all[len(all)-1].kept = true
			}

			for i := range rapid.IntRange(1, 6).Draw(t, "frames") {
				tick += int64(rapid.IntRange(0, 20*int(d.rate)).Draw(t, "delta"))
				delta := uint64(tick - last)
				if i == 0 {
					s.First = delta
					if len(all) == 0 || all[len(all)-1].boot != boot {
						s.First = uint64(tick - start)
						s.base = start
					}
					delta = s.First
				}
				s.Sum += delta
				s.at = append(s.at, tick)
				s.wall = append(s.wall, us(tick))
				s.own = append(s.own, ticks.micros(tick, 0))
				last = tick
				s.Frames++
			}

			tick += int64(rapid.IntRange(0, 30*int(d.rate)).Draw(t, "slack"))
			s.Timed, s.Tick, s.Rate = true, uint32(tick), ticks.rateAt(tick)
			s.tick, s.first = tick, s.Rate == d.rate
			if d.arrivals {
				s.made = us(tick)
				s.came = s.made + int64(rapid.IntRange(0, delivery).Draw(t, "delivery"))
			}

			if d.epochs {
				s.Epoch = us(tick)
			}
			s.ID = id
			id++
			all = append(all, s)
		}

		wall = us(tick) + int64(rapid.IntRange(1, 1_000_000_000).Draw(t, "off"))
	}

	return all
}

// overtakes makes s arrive before a buffer that was written before it, if both can still
// arrive in time. Nothing tells that a rate has changed but what was written before.
func (s *sent) overtakes(before *sent) bool {
	if s.Rate != before.Rate {
		return false
	}
	if s.came == 0 {
		return true
	}
	if s.made > before.made+delivery {
		return false
	}
	s.came, before.came = s.made, max(before.came, s.made)
	return true
}

// mishaps loses, repeats and swaps buffers.
func mishaps(t *rapid.T, all []sent) (got []sent) {
	for _, s := range all {
		mishap := rapid.IntRange(0, 9).Draw(t, "mishap")
		if s.kept && mishap == 0 {
			mishap = 9
		}
		switch mishap {
		case 0: // lost
		case 1:
			got = append(got, s, s)
		case 2:
			if n := len(got); n > 0 && got[n-1].boot == s.boot && got[n-1].ID != s.ID && s.overtakes(&got[n-1]) {
				got = append(got[:n-1], s, got[n-1])
				break
			}
			fallthrough
		default:
			got = append(got, s)
		}
	}
	return got
}

// allMishaps loses, repeats and swaps buffers of one boot, and what else is drawn.
func allMishaps(t *rapid.T, all []sent) (got []sent) {
	boot := rapid.IntRange(0, all[len(all)-1].boot).Draw(t, "boot")
	first := slices.IndexFunc(all, func(s sent) bool { return s.boot == boot })
	kinds := rapid.Permutation([]string{"lost", "repeated", "swapped"}).Draw(t, "mishaps")
	got = mishaps(t, all[:first+1])
	rest := slices.Clone(all[first+1:])
	for _, kind := range kinds {
		switch kind {
		case "lost":
			at := slices.IndexFunc(rest, func(s sent) bool { return !s.kept })
			rest = slices.Delete(rest, at, at+1)
		case "repeated":
			rest = slices.Insert(rest, 1, rest[0])
		case "swapped":
			for i := 1; i < len(rest); i++ {
				if rest[i-1].ID != rest[i].ID && rest[i-1].boot == rest[i].boot && rest[i].overtakes(&rest[i-1]) {
					rest[i-1], rest[i] = rest[i], rest[i-1]
					break
				}
			}
		}
	}

	return append(got, mishaps(t, rest)...)
}

// check compares a buffer's place with the truth. Its times by the device's counter are
// known where the place's boot has what was counted at the first rate, too.
func (s *sent) check(t *rapid.T, p Place, whole bool, how string) {
	for i, at := range s.at {
		shown := int64(p.Base) + at - s.base
		if int64(p.Base) < wrap/2 && s.base < wrap && s.tick >= wrap {
			continue // a wrap that looks like a restart
		}
		inside := false
		for _, off := range []int64{shown - at, shown - at + wrap, shown - at - wrap} {
			inside = inside || off <= int64(p.Early) && -off <= int64(p.Late)
		}

		if !inside {
			t.Logf("%+v", s)
			t.Fatalf("%s: got a frame of boot %d at tick %d, or up to %d before and %d after; want that to allow tick %d", how, s.boot, shown, p.Early, p.Late, at)
		}

		if off := p.Micros(uint64(shown)) - s.own[i]; whole && max(shown-at, at-shown) < wrap/2 && max(off, -off) > p.Error() {
			t.Fatalf("%s: got a frame of boot %d, at %d us of the device, off by %d us, want at most %d", how, s.boot, s.own[i], off, p.Error())
		}
		if us, bound, known := p.WallMicros(uint64(shown)); known {
			if us-s.wall[i] > bound || s.wall[i]-us > bound {
				t.Fatalf("%s: got a frame of boot %d at %d us, off by %d from %d, want off by at most %d", how, s.boot, us, us-s.wall[i], s.wall[i], bound)
			}
		}
	}
}

// TestTrueTimesLieInsideTheBound simulates devices that restart, and lose, repeat
// and swap buffers.
func TestTrueTimesLieInsideTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := device{ppm: rapid.Int64Range(-200, 200).Draw(t, "ppm")}.draw(t)
		holds(t, mishaps(t, d.fleet(t)))
	})
}

// TestTrueTimesLieInsideTheBoundInTheWorstCase has every device wrap, drift, restart,
// and lose, repeat and swap buffers of one boot.
func TestTrueTimesLieInsideTheBoundInTheWorstCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := device{ppm: rapid.SampledFrom([]int64{-200, -37, 90, 200}).Draw(t, "ppm"), worst: true}.draw(t)
		holds(t, allMishaps(t, d.fleet(t)))
	})
}

// rates holds which boots a clock has put together in one, and which of them is there
// with its first rate.
type rates map[int]map[int]bool

func (r *rates) add(boot int, s *sent) {
	if *r == nil {
		*r = rates{}
	}
	if (*r)[boot] == nil {
		(*r)[boot] = map[int]bool{}
	}
	(*r)[boot][s.boot] = (*r)[boot][s.boot] || s.first
}

// known reports whether nothing but the first rate, and what came after it, is there.
func (r rates) known(boot int) bool {
	for _, first := range r[boot] {
		return first && len(r[boot]) == 1
	}
	return false
}

// arrive gives buffers their times of arrival in the order in which they came, unless
// one that was overtaken again and again would be on its way for too long.
func arrive(got []sent) {
	latest := int64(0)
	for i := range got {
		s := &got[i]
		if latest = max(latest, s.came); latest > s.made+delivery {
			for j := range got {
				got[j].Arrival = 0
			}
			return
		}
		s.Arrival = latest
	}
}

// holds checks what is promised of buffers, all at once and one by one.
func holds(t *rapid.T, got []sent) {
	arrive(got)
	var buffers []Buffer
	for i := range got {
		buffers = append(buffers, got[i].Buffer)
	}
	places, order, notes := Resolve(buffers)
	for i, s := range got {
		t.Logf("%d: boot %d tick %d first %d sum %d base %d: %+v", i, s.boot, s.Tick, s.First, s.Sum, s.base, places[i])
	}
	t.Logf("%+v", notes)
	if len(order) != len(got) {
		t.Fatalf("got %d buffers in the order, want all %d", len(order), len(got))
	}

	var later, now rates
	for i := range got {
		later.add(places[i].Boot, &got[i])
	}
	var c Clock
	for i, s := range got {
		s.check(t, places[i], later.known(places[i].Boot), "all at once")
		p, _ := c.Next(s.Buffer)
		if p.RepeatOf < 0 {
			now.add(p.Boot, &s)
			s.check(t, p, now.known(p.Boot), "one by one")
		}
	}

	end := map[int]uint64{}
	for _, i := range order {
		p := places[i]
		if p.RepeatOf >= 0 {
			continue
		}
		if p.Base < end[p.Boot] {
			t.Fatalf("boot %d: got a buffer that begins at tick %d, want none before %d, the end of the one before", p.Boot, p.Base, end[p.Boot])
		}
		end[p.Boot] = p.Base + got[i].Sum
	}
}

// A counter that wraps to 0 when the header is written is like none: what such a buffer
// holds still comes after what its boot wrote before.
func TestHeaderAtTheWrapComesAfterItsBoot(t *testing.T) {
	places, order, _ := Resolve([]Buffer{
		{Timed: true, Tick: 1<<32 - 1000, Rate: 100, First: 500, Sum: 500, Frames: 1, ID: 1},
		{Timed: true, Tick: 0, Rate: 100, First: 900, Sum: 900, Frames: 1},
	})
	if end := places[0].Base + 500; places[1].Boot != places[0].Boot || places[1].Base < end || !slices.Equal(order, []int{0, 1}) {
		t.Errorf("got %+v in order %v, want the second at or after tick %d of boot %d", places, order, end, places[0].Boot)
	}
	if p := places[1]; p.Base > 1<<32-900 || p.Base+p.Late < 1<<32-900 {
		t.Errorf("got %+v, want a place that allows the truth, tick %d", p, int64(1<<32-900))
	}
}
