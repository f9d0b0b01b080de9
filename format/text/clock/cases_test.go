package clock

import (
	"math"
	"slices"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
)

const hz = 32768

// buffer makes one of the ticks of its frames, and of its header.
func buffer(tick uint64, rate uint32, deltas ...uint64) Buffer {
	b := Buffer{Timed: true, Tick: uint32(tick), Rate: rate, Frames: len(deltas), First: deltas[0], ID: tick<<8 | uint64(len(deltas))}
	for _, d := range deltas {
		b.Sum += d
	}
	return b
}

// TestBuffersGetTheirTimeBootAndOrder resolves what devices have sent. ends are the
// device times of the last frames in seconds, boots the number of each buffer's.
func TestBuffersGetTheirTimeBootAndOrder(t *testing.T) {
	seconds := func(n int) (deltas []uint64) { return slices.Repeat([]uint64{hz}, n) }
	second := func(b Buffer) Buffer { b.ID++; return b }
	day := uint64(86_400 * hz)

	for name, c := range map[string]struct {
		buffers []Buffer
		ends    []float64
		boots   []int
		order   []int
		kinds   []NoteKind
	}{
		"restart, later": { // t2_reboot_later
			buffers: []Buffer{buffer(10*hz, hz, seconds(9)...), buffer(60*hz, hz, hz, hz, hz, 56*hz)},
			ends:    []float64{10, 60}, boots: []int{0, 1}, order: []int{0, 1}, kinds: []NoteKind{Restart},
		},
		"restart, earlier": { // t2_reboot_earlier
			buffers: []Buffer{buffer(10*hz, hz, seconds(9)...), buffer(5*hz, hz, seconds(2)...)},
			ends:    []float64{10, 5}, boots: []int{0, 1}, order: []int{0, 1}, kinds: []NoteKind{Restart},
		},
		"restart after more than half of the counter": { // t2_reboot_20h
			buffers: []Buffer{buffer(72_000*hz, hz, 71_999*hz), buffer(72_010*hz, hz, seconds(10)...), buffer(9*hz, hz, seconds(9)...)},
			ends:    []float64{72_000, 72_010, 9}, boots: []int{0, 0, 1}, order: []int{0, 1, 2}, kinds: []NoteKind{Restart},
		},
		"in the middle of a life": { // t2_midlife
			buffers: []Buffer{buffer(day, hz, 3276, hz)},
			ends:    []float64{86_400}, boots: []int{0}, order: []int{0},
		},
		"an hour lost": { // t2_lost
			buffers: []Buffer{buffer(3*hz, hz, hz, hz), buffer(3600*hz, hz, hz, hz), buffer(3601*hz, hz, hz)},
			ends:    []float64{3, 3600, 3601}, boots: []int{0, 0, 0}, order: []int{0, 1, 2}, kinds: []NoteKind{Lost},
		},
		"silent for an hour, nothing lost": {
			buffers: []Buffer{buffer(3*hz, hz, hz, hz), buffer(3600*hz, hz, hz, hz), buffer(3601*hz, hz, 3596*hz)},
			ends:    []float64{3, 5, 3601}, boots: []int{0, 0, 0}, order: []int{0, 1, 2},
		},
		"sent twice": { // t6_dup
			buffers: []Buffer{buffer(5*hz+5, hz, seconds(5)...), buffer(5*hz+5, hz, seconds(5)...), buffer(10*hz+5, hz, seconds(5)...)},
			ends:    []float64{5, 5, 10}, boots: []int{0, 0, 0}, order: []int{0, 1, 2}, kinds: []NoteKind{Repeat},
		},
		"swapped": { // t6_swap
			buffers: []Buffer{second(buffer(10*hz+5, hz, seconds(5)...)), buffer(5*hz+5, hz, seconds(5)...)},
			ends:    []float64{10, 5}, boots: []int{0, 0}, order: []int{1, 0}, kinds: []NoteKind{Swapped},
		},
		"swapped in the middle": {
			buffers: []Buffer{buffer(5*hz+5, hz, seconds(5)...), buffer(15*hz+5, hz, seconds(5)...), buffer(10*hz+5, hz, seconds(5)...), buffer(20*hz+5, hz, seconds(5)...)},
			ends:    []float64{5, 15, 10, 20}, boots: []int{0, 0, 0, 0}, order: []int{0, 2, 1, 3}, kinds: []NoteKind{Swapped},
		},
		"another rate": { // t2_rate
			buffers: []Buffer{buffer(2000, 1000, 1000, 1000), buffer(2000+hz, hz, hz)},
			ends:    []float64{2, 3}, boots: []int{0, 0}, order: []int{0, 1}, kinds: []NoteKind{NewRate},
		},
		"the counter wraps": { // agent-1.2.3/LOG1 and LOG2
			buffers: []Buffer{buffer(2180376, hz, 32768, 16384, 3, 1966080, 1, 100, 200), buffer(4112, hz, 118128640, 4174822104, 32)},
			ends:    []float64{61.66, 131_072.125}, boots: []int{0, 0}, order: []int{0, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			places, order, notes := Resolve(c.buffers)
			var boots []int
			for i := range places {
				p := &places[i]
				boots = append(boots, p.Boot)
				if got := float64(p.Micros(p.Base+c.buffers[i].Sum)) / 1e6; got-c.ends[i] > 0.01 || c.ends[i]-got > 0.01 {
					t.Errorf("buffer %d ends at %f, want %f", i, got, c.ends[i])
				}
			}
			var kinds []NoteKind
			for _, n := range notes {
				kinds = append(kinds, n.Kind)
			}
			if !slices.Equal(boots, c.boots) || !slices.Equal(order, c.order) || !slices.Equal(kinds, c.kinds) {
				t.Errorf("boots %v, order %v, notes %+v; want %v, %v and %v", boots, order, notes, c.boots, c.order, c.kinds)
			}
		})
	}
}

// TestWallTimeFollowsEpochAndArrival ties ticks to the epoch of a header and to the
// time of arrival.
func TestWallTimeFollowsEpochAndArrival(t *testing.T) {
	b := buffer(10*hz, hz, hz, 8*hz)
	b.Epoch = 1_700_000_000_000_000
	after := buffer(20*hz, hz, hz, 9*hz)
	after.Epoch = b.Epoch + 10_000_000
	places, _, _ := Resolve([]Buffer{b, after})
	for i, want := range []int64{0, 10_000_000} {
		p := &places[i]
		us, bound, known := p.WallMicros(p.Base + []Buffer{b, after}[i].Sum)
		if d := us - b.Epoch - want; !known || d < -bound || d > 0 || bound > 2_000_000 {
			t.Errorf("buffer %d: got an end at %+d us, off by up to %d, known: %v; want one that allows %d, not after it, and off by 2 s at most",
				i, us-b.Epoch, bound, known, want)
		}
	}

	b.Epoch, b.Arrival = 0, 1_700_000_000_000_000
	places, _, _ = Resolve([]Buffer{b})
	if us, bound, known := places[0].WallMicros(9 * hz); !known || b.Arrival-us != 1_000_000 || bound < delivery {
		t.Errorf("got a frame at %d us, off by up to %d, known: %v; want it at %d, a second before the report came, off by %d or more",
			us, bound, known, b.Arrival-1_000_000, delivery)
	}

	// A clock that is set is told, and each buffer keeps what it said.
	after.Epoch = 0
	b.Epoch = 1_700_000_000_000_000
	set := buffer(30*hz, hz, 10*hz)
	set.Epoch = b.Epoch - 100_000_000
	_, _, notes := Resolve([]Buffer{b, after, set})
	if len(notes) == 0 {
		t.Error("got no note of a clock that was set back, want one")
	}
}

// TestVectorsLieAtTheirDevicesTicks places what real agents wrote, with the ticks at
// which their devices logged each record: in one stream, and each log alone. Their
// clock of the day goes by the counter, so that it is set back where that wraps;
// nothing else is wrong.
func TestVectorsLieAtTheirDevicesTicks(t *testing.T) {
	var buffers []Buffer
	var ticks [][]uint32
	for _, v := range formattest.Logs(t) {
		if v.Header.Version != 4 {
			continue
		}
		l, _, err := format.ParseLog(v.Buffer)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBuffer(l)
		buffers = append(buffers, b)
		var of []uint32
		for _, f := range v.Frames {
			of = append(of, *f.DeviceTick)
		}
		ticks = append(ticks, of)

		places, _, notes := Resolve([]Buffer{b})
		if len(notes) != 0 {
			t.Errorf("%s alone: told %+v, want len(notes) 0", v.Name, notes)
		}
		inside(t, v.Name+" alone", &places[0], b, of)
	}
	if len(buffers) != 3 {
		t.Fatalf("%d logs of version 4, want 3", len(buffers))
	}

	places, order, notes := Resolve(buffers)
	var kinds []NoteKind
	for _, n := range notes {
		kinds = append(kinds, n.Kind)
	}
	if !slices.Equal(kinds, []NoteKind{Stepped, Restart}) || !slices.Equal(order, []int{0, 1, 2}) || places[1].Boot != 0 || places[2].Boot != 1 {
		t.Errorf("got order %v, notes %+v, places %+v; want order [0 1 2], notes of %v, the second log in boot 0 and the third in boot 1",
			order, notes, places, []NoteKind{Stepped, Restart})
	}
	for i := range places {
		inside(t, "together", &places[i], buffers[i], ticks[i])
	}
}

// inside holds the first and the last frame of a buffer to the ticks of the device.
func inside(t *testing.T, name string, p *Place, b Buffer, ticks []uint32) {
	t.Helper()
	for shown, want := range map[uint64]uint32{p.Base + b.First: ticks[0], p.Base + b.Sum: ticks[len(ticks)-1]} {
		early, late := int64(int32(uint32(shown)-want)), int64(int32(want-uint32(shown)))
		if early > int64(p.Early) || late > int64(p.Late) {
			t.Errorf("%s: got a frame at tick %d, or up to %d before and %d after; want that to allow tick %d", name, shown, p.Early, p.Late, want)
		}
	}
}

// TestSetClockKeepsTheBootTogether keeps a boot together whose wall clock is set: its
// ticks go on.
func TestSetClockKeepsTheBootTogether(t *testing.T) {
	for name, set := range map[string]int64{"back by a year": -365 * 86_400_000_000, "on by a year": 365 * 86_400_000_000} {
		t.Run(name, func(t *testing.T) {
			var buffers []Buffer
			for i := range int64(6) {
				b := buffer(uint64(10*i+10)*hz, hz, 8*hz, 2*hz)
				b.Epoch = 1_732_831_180_000_000 + 10_000_000*i
				if i >= 3 {
					b.Epoch += set
				}
				buffers = append(buffers, b)
			}

			places, order, notes := Resolve(buffers)
			if len(notes) != 1 || notes[0].Kind != Stepped || notes[0].Buffer != 3 || notes[0].Micros/1_000_000 != set/1_000_000 {
				t.Errorf("got notes %+v, want one of kind %v at buffer 3 by %d us, give or take a second", notes, Stepped, set)
			}
			if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) || places[5].Boot != 0 {
				t.Errorf("got order %v, last place %+v; want order [0 1 2 3 4 5], and that in boot 0", order, places[5])
			}

			for i := range places {
				if us, bound, ok := places[i].WallMicros(places[i].Base + buffers[i].Sum); !ok || us-buffers[i].Epoch > bound || buffers[i].Epoch-us > bound {
					t.Errorf("buffer %d: got an end at %d us, off by up to %d, known: %v; want one that allows %d", i, us, bound, ok, buffers[i].Epoch)
				}
			}
		})
	}
}

// TestImpossibleEpochsAreNotBelieved takes epochs that no calendar has, and ticks that
// outlast it.
func TestImpossibleEpochsAreNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		epoch uint64
		rate  uint32
		wait  uint32
		told  bool // the epoch is not believed
		known bool // the wall time
	}{
		"1970, its first microsecond":     {epoch: 1, rate: hz, wait: hz, known: true},
		"9999":                            {epoch: latest, rate: hz, wait: hz, known: true},
		"10000":                           {epoch: latest + 1, rate: hz, wait: hz, told: true},
		"43075":                           {epoch: 1_297_159_784_214_078_976, rate: hz, wait: hz, told: true},
		"more than 63 bits":               {epoch: 1<<63 + 1_732_831_180_376_000, rate: hz, wait: hz, told: true},
		"all bits":                        {epoch: math.MaxUint64, rate: 1, wait: math.MaxUint32, told: true},
		"frames from before the calendar": {epoch: 1_732_831_180_376_000, rate: 1, wait: math.MaxUint32},
	} {
		t.Run(name, func(t *testing.T) {
			builder, err := format.NewLogBuilder(4)
			if err != nil {
				t.Fatal(err)
			}
			builder.EpochTimeUs, builder.TickRateHz, builder.Tick = c.epoch, c.rate, 100*hz
			for range 40 {
				if err := builder.Add(&format.Record{TickDelta: c.wait}); err != nil {
					t.Fatal(err)
				}
			}
			b, err := builder.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			l, _, err := format.ParseLog(b)
			if err != nil {
				t.Fatal(err)
			}

			places, _, notes := Resolve([]Buffer{NewBuffer(l)})
			if told := slices.ContainsFunc(notes, func(n Note) bool { return n.Kind == NoTime && n.Epoch == c.epoch }); told != c.told {
				t.Errorf("notes %+v, want that of the epoch: %v", notes, c.told)
			}
			us, bound, known := places[0].WallMicros(places[0].Base)
			if known != c.known || !Believed(us) || bound < 0 {
				t.Errorf("got a start at %d us, off by up to %d, known: %v; want known: %v, a time of the calendar and no negative bound", us, bound, known, c.known)
			}
		})
	}
}

// TestLongestTimesDoNotOverflow keeps sums within what a number holds.
func TestLongestTimesDoNotOverflow(t *testing.T) {
	var c Clock
	end := int64(0)
	for i := range 40 {
		b := buffer(uint64(i)<<8, 1+uint32(i%2), 1<<56)
		b.Epoch = []int64{latest, 1}[i%2]
		p, _ := c.Next(b)
		if got := p.Micros(p.Base + b.Sum); got < 0 || p.Error() < 0 || got < end && p.Boot == 0 {
			t.Fatalf("buffer %d: got %d us, off by up to %d, in boot %d; want both at least 0, and in boot 0 not before %d us", i, got, p.Error(), p.Boot, end)
		} else if end = got; p.Boot != 0 {
			end = 0
		}
	}
}

// When a counter goes on at another rate, nothing tells at which tick between two headers
// it began to. Times allow every one of them, also those that an arrival gives.
func TestTimesAllowAnyTickOfARateChange(t *testing.T) {
	const seconds = 1_000_000
	const arrived = 1_700_000_000 * seconds
	buffers := []Buffer{
		{Timed: true, Tick: 1000, Rate: 100, First: 1000, Sum: 1000, Frames: 1, Arrival: arrived, ID: 1},
		{Timed: true, Tick: 2000, Rate: 50, First: 500, Sum: 500, Frames: 1, Arrival: arrived + 3600*seconds, ID: 3},
	}
	places, _, notes := Resolve(buffers)
	if len(notes) == 0 || notes[0].Kind != NewRate {
		t.Errorf("got %+v, want the new rate told", notes)
	}
	p := places[1]
	at := p.Base + 500
	early, late := int64(15*seconds), int64(20*seconds) // at tick 1500
	if got := p.Micros(at); got-p.Error() > early || got+p.Error() < late {
		t.Errorf("got %d us, off by up to %d; want what allows %d to %d", got, p.Error(), early, late)
	}

	// What came first was on its way for a minute at most, and the other for an hour.
	us, bound, ok := p.WallMicros(at)
	if early, late := int64(arrived-55*seconds), int64(arrived+10*seconds); !ok || us-bound > early || us+bound < late {
		t.Errorf("got %d us, off by up to %d, %v; want what allows %d to %d", us, bound, ok, early, late)
	}
	if us > arrived+60*seconds {
		t.Errorf("got %d us, want it by the first arrival, %d", us, int64(arrived))
	}

	// So does what follows, where sums and epochs leave no other doubt.
	places, _, _ = Resolve([]Buffer{
		{Timed: true, Tick: 1000, Rate: 100, Frames: 1, Epoch: arrived, ID: 1},
		{Timed: true, Tick: 2000, Rate: 50, First: 2000, Sum: 2000, Frames: 1, Epoch: arrived + 15*seconds, ID: 3},
		{Timed: true, Tick: 3000, Rate: 50, First: 1000, Sum: 1000, Frames: 1, Epoch: arrived + 35*seconds, ID: 5},
	})
	early, late = 40*seconds, 50*seconds // at tick 3000
	if got, bound := places[2].Micros(3000), places[2].Error(); places[2].Base != 2000 || got-bound > early || got+bound < late {
		t.Errorf("got %d us, off by up to %d, of %+v; want what allows %d to %d", got, bound, places[2], early, late)
	}
}
