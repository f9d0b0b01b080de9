package text

import (
	"errors"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// damagedMark goes before the text of a record that may be wrong.
const damagedMark = "(damaged) "

var errShortRecord = errors.New("the record ends before its format")

// renderer turns the records of a stream, or of a part of it, into output.
type renderer struct {
	cfg      *Config
	file     string
	shown    string // the same for a terminal
	*view           // that is in use
	views    map[Dictionary]*view
	buf      []byte // output
	text     []byte // of the record at hand
	jsonHead string
	tied     []*statement // of overlays, that fit the record at hand no less
	reason   string       // why the damaged range that begins is damaged
	report   Report
}

// view is what was made of a dictionary.
type view struct {
	dict        Dictionary // or nil
	cells       cells
	stmts       *statements
	modules     uint32    // to show, a bit for each
	levels      [32]uint8 // to show, by module
	jsonModules [8][32]string
}

func newRenderer(cfg *Config, file string) renderer {
	return renderer{cfg: cfg, file: file, shown: Printable(file), jsonHead: newJSONHead(file, cfg.Embedded), views: map[Dictionary]*view{}}
}

// use sets the dictionary, which may be nil.
func (o *renderer) use(d Dictionary) {
	if o.view != nil && o.dict == d {
		return
	}
	v := o.views[d]
	if v == nil {
		v = &view{
			dict: d, cells: newCells(o.cfg.Line, d), modules: o.cfg.Filter.modules(d), levels: o.cfg.Filter.levels(d),
			stmts: newStatements(d, &o.cfg.Filter, o.cfg.showsSource()),
		}
		o.views[d] = v
	}
	o.view = v
}

// forget drops what was made of dictionaries, and adds up its statistics.
func (o *renderer) forget(s *Stats) {
	for _, v := range o.views {
		s.addStatements(v.stmts)
	}
	clear(o.views)
	o.view = nil
}

// log renders the records of a good log, which begins at this offset, unless it came
// before.
func (o *renderer) log(l format.Log, offset int64, t *track, place clock.Place) {
	t.enter(l.Header, place, &o.report)
	if place.RepeatOf >= 0 && !o.cfg.Repeats {
		t.skip(l)
		return
	}
	offset += int64(len(l.Bytes()) - len(l.Data()))
	frames := l.Frames()
	for frames.Next() {
		frame := frames.Frame()
		o.frame(&frame, offset+int64(frame.Offset), t, false)
	}
}

// event renders what was found in damaged input.
func (o *renderer) event(e *format.Event, offset int64, t *track) {
	d := Damage{Offset: offset, Len: int64(len(e.Bytes)), Reason: "in a damaged log"}
	switch e.Kind {
	case format.EventLog:
		t.header(e.Header(), &o.report)
	case format.EventFrame:
		t.kind(e.Header())
		if o.cfg.Damaged {
			o.frame(&e.Frame, offset, t, true)
		} else {
			t.frame(&e.Frame, offset, &o.report)
			d.Records = 1
		}
	default:
		if e.Reason != nil {
			d.Reason = e.Reason.Error()
		}
	}

	if o.reason != "" { // of the whole range, known from its first log
		d.Reason, o.reason = o.reason, ""
	}
	o.report.damage(d)
}

// frame renders the record of a frame, if the filter lets it pass.
func (o *renderer) frame(f *format.Frame, offset int64, t *track, damaged bool) {
	index := t.index
	t.frame(f, offset, &o.report)
	o.record(&record{
		index: index, log: t.log, offset: offset, tick: t.tick, rate: t.place.Rate, place: &t.place,
		seq: f.Sequence, timed: t.timed, lenHead: t.lenHead, damaged: damaged,
	}, f.Payload)
}

// record renders r, whose payload is not decoded yet, if the filter lets it
// pass. What can be decided on the undecoded bytes comes first.
func (o *renderer) record(r *record, payload []byte) {
	if len(payload) < format.PayloadHeaderSize {
		o.bad(r, payload, errShortRecord)
		return
	}

	filter := &o.cfg.Filter
	if !o.passes(payload[0]) {
		o.report.Records++
		return
	}
	if filter.hasTime() {
		pass, ok := filter.time(r)
		if !ok {
			o.report.NoTime++
		}
		if !pass {
			o.report.Records++
			return
		}
	}

	r.stmt = o.stmts.at(uint32(payload[1]) | uint32(payload[2])<<8 | uint32(payload[3])<<16 | uint32(payload[4])<<24)
	grep := r.stmt.grep
	if grep == unknown && payload[5] == 0 {
		grep = r.stmt.grepNone
	}

	if grep == never {
		o.report.Records++
		return
	}
	p, err := format.ParsePayload(payload)
	if err != nil {
		o.bad(r, payload, err)
		return
	}
	o.report.Records++
	r.p, r.raw = p, payload
	o.tied = nil
	if r.stmt.overlaid != nil {
		r.stmt, o.tied = r.stmt.of(p)
	}

	var out outcome
	if t := r.stmt.template; t != nil {
		o.text, out = t.append(o.text[:0], p)
	} else {
		o.text, out = appendRaw(o.text[:0], p)
	}

	if filter.Grep != nil && grep == unknown && !filter.Grep.Match(o.text) {
		return
	}
	if o.tied != nil {
		o.report.Overlaid++
	}

	o.report.DroppedStrings += int64(out.dropped)
	o.report.NotRecorded += int64(out.notRecorded)
	if t := r.stmt.template; t != nil {
		o.report.Uncertain += int64(out.uncertain)
		if out.match == matchNone {
			o.report.Misfits++
		}
	}
	o.show(r, payload)
}

// show writes the record whose text is in o.text.
func (o *renderer) show(r *record, payload []byte) {
	o.report.Shown++
	r.stmt.tally.count(r.p.Level(), r.p.Module(), r.lenHead+len(payload))
	reason := ""
	if o.dict == nil {
		reason = "no firmware file given"
	} else if r.stmt.template == nil {
		o.report.Unknown++
		reason = "the firmware file has no string at this address"
	}

	if o.cfg.Terminal && !o.cfg.JSON {
		o.text = forTerminal(o.text)
	}
	switch {
	case o.cfg.Quiet:
	case o.cfg.JSON:
		o.buf = r.appendJSON(o.buf, o, o.text, reason)
	case isPrintable(o.text) && !r.damaged:
		o.buf = o.appendLine(o.buf, r, o.text)
	default:
		n := len(o.text)
		if r.damaged {
			o.text = append(o.text, damagedMark...)
		}
		o.text = appendPrintable(o.text, o.text[:n])
		o.buf = o.appendLine(o.buf, r, o.text[n:])
	}
}

// bad writes a record that cannot be read.
func (o *renderer) bad(r *record, payload []byte, err error) {
	o.report.Unreadable++
	r.bad, r.raw = err, payload
	switch {
	case o.cfg.Quiet:
	case o.cfg.JSON:
		o.buf = r.appendJSON(o.buf, o, nil, "")
	default:
		o.text = append(append(append(o.text[:0], "<unreadable: "...), err.Error()...), '>')
		o.buf = o.appendLine(o.buf, r, o.text)
	}
}

// appendRaw shows a record without its format: the address and the arguments.
func appendRaw(dst []byte, p format.Payload) (_ []byte, out outcome) {
	dst = appendAddr(dst, p.FmtAddr())
	args := p.Args()
	for args.Next() {
		a := args.Arg()
		dst = appendMarked(append(dst, ' '), &a, &out)
	}
	return dst, out
}
