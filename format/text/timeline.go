package text

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// Input is a file of a time line.
type Input struct {
	// Name is its name in the output.
	Name string
	// Open opens it; it is read twice. What it returns should be an io.ReaderAt, or
	// logs that came in another order than they were written stay in that.
	Open func() (io.ReadCloser, error)
	// Received is when its last log came; the zero Time if that is not known.
	Received time.Time
}

// Outcome is what became of an input.
type Outcome struct {
	Report Report
	Err    error
}

// Timeline decodes the logs of several files, or of one, in the order in which the
// device wrote them, as far as their clocks tell; see package clock. The outcomes
// are those of the inputs, by index.
func (d *Decoder) Timeline(ctx context.Context, inputs []Input, w io.Writer) []Outcome {
	surveys := make([]*survey, len(inputs))
	for i := range inputs {
		surveys[i] = d.survey(ctx, &inputs[i])
	}

	t := newTimeline(inputs, surveys)
	files := make([]*file, len(inputs))
	for i := range inputs {
		files[i] = &file{in: &inputs[i], places: t.places[i], out: Outcome{Err: surveys[i].err}}
		for _, n := range t.notes[i] {
			files[i].out.Report.note(n)
		}
	}

	for _, r := range t.runs {
		if f := files[r.file]; f.out.Err == nil {
			f.out.Err = d.decodeRun(ctx, f, r, w)
		}
		if err := ctx.Err(); err != nil {
			break
		}
	}

	outcomes := make([]Outcome, len(files))
	for i, f := range files {
		if f.judge != nil {
			f.out.Report.Ambiguous, f.out.Report.Tied = f.judge.Ambiguous(), f.judge.Tied()
		}
		outcomes[i] = f.out
	}
	return outcomes
}

// survey is where the sound logs of a file lie, and what they say about time.
type survey struct {
	logs []located
	err  error // of opening
}

type located struct {
	offset, end int64
	track       track // before the log
	buffer      clock.Buffer
}

func (s *survey) add(l format.Log, offset int64, t *track) {
	at := located{offset: offset, end: offset + int64(len(l.Bytes())), track: *t, buffer: clock.NewBuffer(l)}
	t.logs++
	t.skip(l)
	if !at.buffer.Timed && at.buffer.Frames > 0 {
		t.seq, t.seen = at.buffer.LastSequence, true
	}
	s.logs = append(s.logs, at)
}

// survey reads a file for the first time.
func (d *Decoder) survey(ctx context.Context, in *Input) *survey {
	sv := &survey{}
	r, err := in.Open()
	if err != nil {
		sv.err = err
		return sv
	}
	defer r.Close()

	cfg := d.cfg
	cfg.Quiet, cfg.Damaged, cfg.Parallel, cfg.Reload = true, false, 1, nil
	s := newStream(ctx, &cfg, &Stats{}, in.Name, io.Discard)
	s.survey = sv
	_ = s.run(r) // what is wrong shows again when the file is decoded
	if n := len(sv.logs); n > 0 && !in.Received.IsZero() {
		sv.logs[n-1].buffer.Arrival = in.Received.UnixMicro()
	}
	return sv
}

// stretch is a part of a file that is decoded in one go.
type stretch struct {
	file       int
	begin, end int64
	track      track // where it begins
	last       int   // index of its last log in the file
}

// timeline is how the parts of files follow each other.
type timeline struct {
	runs   []stretch
	places []map[int64]clock.Place // of the logs of each file, by offset
	notes  [][]timing              // of each file
}

// logRef is a log of a file.
type logRef struct{ file, log int }

// newTimeline places all logs of all inputs in time.
func newTimeline(inputs []Input, surveys []*survey) *timeline {
	places, order, notes, refs := resolve(inOrder(surveys), surveys)
	t := &timeline{places: make([]map[int64]clock.Place, len(surveys)), notes: make([][]timing, len(surveys))}
	for i := range t.places {
		t.places[i] = map[int64]clock.Place{}
	}
	for i, p := range places {
		ref := refs[i]
		t.places[ref.file][surveys[ref.file].logs[ref.log].offset] = p
	}

	for _, n := range notes {
		ref := refs[n.Buffer]
		note := noteOf(n, int64(ref.log), surveys[ref.file].logs[ref.log].offset)
		if n.Other >= 0 {
			other := refs[n.Other]
			note.otherLog = int64(other.log)
			if other.file != ref.file {
				note.otherFile = inputs[other.file].Name
			}
		}
		t.notes[ref.file] = append(t.notes[ref.file], note)
	}

	used := make([]bool, len(surveys))
	for _, i := range order {
		t.extend(refs[i], surveys)
		used[refs[i].file] = true
	}

	for i := range used {
		if !used[i] { // nothing in it has a time
			t.runs = append(t.runs, stretch{file: i, end: math.MaxInt64})
		}
	}
	return t
}

// extend adds a log to the time line, with the bytes before it that are none.
func (t *timeline) extend(ref logRef, surveys []*survey) {
	logs := surveys[ref.file].logs
	r := stretch{file: ref.file, end: logs[ref.log].end, track: logs[ref.log].track, last: ref.log}
	if ref.log > 0 {
		r.begin = logs[ref.log-1].end
		// Damaged logs before this one were counted in its track.
		r.track = logs[ref.log-1].after()
	} else {
		r.track = track{}
	}
	if ref.log == len(logs)-1 {
		r.end = math.MaxInt64
	}
	if n := len(t.runs); n > 0 && t.runs[n-1].file == ref.file && t.runs[n-1].last == ref.log-1 {
		t.runs[n-1].end, t.runs[n-1].last = r.end, ref.log
		return
	}
	t.runs = append(t.runs, r)
}

// after returns the track behind a log.
func (l *located) after() track {
	t := l.track
	t.logs++
	t.index += int64(l.buffer.Frames)
	if !l.buffer.Timed && l.buffer.Frames > 0 {
		t.seq, t.seen = l.buffer.LastSequence, true
	}
	return t
}

// inOrder returns the files in the order of their clocks, as far as these tell
// without a look at the sums: by epoch, or by when they came.
func inOrder(surveys []*survey) []int {
	files := make([]int, 0, len(surveys))
	for i, s := range surveys {
		if len(s.logs) > 0 {
			files = append(files, i)
		}
	}

	for _, by := range []func(*survey) int64{
		func(s *survey) int64 { return s.logs[0].buffer.Epoch },
		func(s *survey) int64 { return s.logs[len(s.logs)-1].buffer.Arrival },
	} {
		if !slices.ContainsFunc(files, func(i int) bool { return by(surveys[i]) == 0 }) {
			slices.SortStableFunc(files, func(a, b int) int { return cmp.Compare(by(surveys[a]), by(surveys[b])) })
			return files
		}
	}

	byTick := slices.Clone(files)
	slices.SortStableFunc(byTick, func(a, b int) int {
		return cmp.Compare(surveys[a].logs[0].buffer.Tick, surveys[b].logs[0].buffer.Tick)
	})
	if places, _, notes, _ := resolve(byTick, surveys); !slices.ContainsFunc(places, func(p clock.Place) bool { return p.Boot > 0 }) &&
		!slices.ContainsFunc(notes, func(n clock.Note) bool { return n.Kind != clock.Repeat && n.Kind != clock.Lost }) {
		return byTick // one boot, whose files were given in another order
	}
	return files
}

// resolve places the logs of files in this order.
func resolve(files []int, surveys []*survey) (places []clock.Place, order []int, notes []clock.Note, refs []logRef) {
	var buffers []clock.Buffer
	for _, i := range files {
		for n := range surveys[i].logs {
			buffers = append(buffers, surveys[i].logs[n].buffer)
			refs = append(refs, logRef{i, n})
		}
	}
	places, order, notes = clock.Resolve(buffers)
	return places, order, notes, refs
}

// file is an input on its way through the decoder, in one run or several.
type file struct {
	in     *Input
	judge  *choose.Judge
	places map[int64]clock.Place
	out    Outcome
}

// decodeRun decodes a part of a file.
func (d *Decoder) decodeRun(ctx context.Context, f *file, p stretch, w io.Writer) error {
	r, err := f.in.Open()
	if err != nil {
		return err
	}
	defer r.Close()

	var in io.Reader = r
	if at, ok := r.(io.ReaderAt); ok && (p.begin > 0 || p.end < math.MaxInt64) {
		in = io.NewSectionReader(at, p.begin, p.end-p.begin)
	} else if p.begin > 0 {
		return errors.ErrUnsupported
	}

	s := newStream(ctx, &d.cfg, &d.stats, f.in.Name, w)
	if f.judge != nil {
		s.judge = f.judge
		s.out.use(s.judge.Dictionary())
	}

	f.judge = s.judge
	s.places, s.track, s.base, s.begin = f.places, p.track, p.begin, p.begin
	defer s.out.forget(&d.stats)
	err = s.run(in)
	f.out.Report.merge(&s.out.report)
	if err == nil && p.begin == 0 && s.base == 0 {
		return errEmpty
	}
	return err
}

var errEmpty = errors.New("at offset 0: log.version: ends too early: the input is empty")
