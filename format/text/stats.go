package text

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/ulogkit/ulogkit/format"
)

// Stats sums up which statements of the firmware talk most. It counts the
// records that passed the filter. A statement that several builds have at the
// same address is one, and so is a module that has the same number and name.
type Stats struct {
	mu      sync.Mutex
	rows    map[said]*StatRow
	others  StatRow
	modules map[module]int64 // bytes
}

// said is what identifies a statement among those of several builds.
type said struct {
	addr   uint32
	format string
}

// module is one of a build; the name is empty if the dictionary has none.
type module struct {
	number uint8
	name   string
}

// StatRow is what one log statement has said.
type StatRow struct {
	FmtAddr uint32
	Format  string // empty if the dictionary does not have it
	Records int64
	Bytes   int64 // of the frames, headers included
	Levels  [8]int64
}

// addStatements takes over what was counted by address.
func (s *Stats) addStatements(stmts *statements) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.rows == nil {
		s.rows, s.modules = map[said]*StatRow{}, map[module]int64{}
	}
	all := stmts.others
	for addr, stmt := range stmts.everything() {
		if stmt.tally.records == 0 {
			continue
		}
		key := said{addr: addr}
		if stmt.template != nil {
			key.format = stmt.template.format
		}

		row := s.rows[key]
		switch {
		case row != nil:
		case len(s.rows) < maxStatements:
			row = &StatRow{FmtAddr: addr, Format: key.format}
			s.rows[key] = row
		default:
			row = &s.others
		}

		row.add(&stmt.tally)
		all.add(&stmt.tally)
		stmt.tally = tally{}
	}

	s.others.add(&stmts.others)
	stmts.others = tally{}
	for i, n := range all.module {
		if n == 0 {
			continue
		}
		m := module{number: uint8(i)}
		if stmts.dict != nil {
			m.name, _ = stmts.dict.Module(m.number)
		}
		s.modules[m] += n
	}
}

func (r *StatRow) add(t *tally) {
	r.Records += t.records
	r.Bytes += t.bytes
	for i, n := range t.level {
		r.Levels[i] += n
	}
}

// Rows returns the statements, those with most bytes first.
func (s *Stats) Rows() []StatRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]StatRow, 0, len(s.rows)+1)
	for _, r := range s.rows {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b StatRow) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Records, a.Records), cmp.Compare(a.FmtAddr, b.FmtAddr), cmp.Compare(a.Format, b.Format))
	})
	if s.others.Records > 0 {
		rows = append(rows, s.others)
	}
	return rows
}

// moduleRow is what one module has said.
type moduleRow struct {
	module
	bytes int64
}

func (s *Stats) sum() (records, bytes int64, modules []moduleRow) {
	for _, r := range s.Rows() {
		records += r.Records
		bytes += r.Bytes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for m, n := range s.modules {
		modules = append(modules, moduleRow{m, n})
	}
	slices.SortFunc(modules, func(a, b moduleRow) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
	return records, bytes, modules
}

// WriteTable writes the statistics for people: the statements and the modules,
// top talkers first.
func (s *Stats) WriteTable(w io.Writer) error {
	records, bytes, modules := s.sum()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "records\tbytes\tshare\taddress\t  format\n")
	for _, r := range s.Rows() {
		// A tab would end a cell of the table.
		format := strings.ReplaceAll(string(appendPrintable(nil, r.Format)), "\t", `\t`)
		fmt.Fprintf(t, "%d\t%d\t%.1f %%\t0x%08x\t  %s\n", r.Records, r.Bytes, share(r.Bytes, bytes), r.FmtAddr, format)
	}
	fmt.Fprintf(t, "%d\t%d\t100.0 %%\t\t  all\n", records, bytes)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t)
	for _, m := range modules {
		fmt.Fprintf(t, "\t%d\t%.1f %%\t\t  module %s\n", m.bytes, share(m.bytes, bytes), moduleName(m.number, m.name))
	}
	return t.Flush()
}

func share(part, whole int64) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

// WriteJSON writes the statistics as one object a line: of kind "statement",
// then of kind "module", then one of kind "total".
func (s *Stats) WriteJSON(w io.Writer) error {
	records, bytes, modules := s.sum()
	var b []byte
	for _, r := range s.Rows() {
		b = append(b, `{"v":1,"kind":"statement"`...)
		b = appendKey(b, `,"fmt_addr":`, uint64(r.FmtAddr))
		b = append(b, `,"fmt":`...)
		if r.Format != "" {
			b = appendJSONString(b, r.Format)
		} else {
			b = append(b, "null"...)
		}

		b = appendKey(b, `,"records":`, uint64(r.Records))
		b = appendKey(b, `,"bytes":`, uint64(r.Bytes))
		b = append(b, `,"levels":{`...)
		sep := `"`
		for i, n := range r.Levels {
			if n > 0 {
				b = appendKey(append(append(append(b, sep...), format.Level(i).String()...), `"`...), ":", uint64(n))
				sep = `,"`
			}
		}
		b = append(b, "}}\n"...)
	}

	for _, m := range modules {
		b = appendKey(b, `{"v":1,"kind":"module","module":`, uint64(m.number))
		if m.name != "" {
			b = appendJSONString(append(b, `,"module_name":`...), m.name)
		}
		b = append(appendKey(b, `,"bytes":`, uint64(m.bytes)), "}\n"...)
	}

	b = appendKey(b, `{"v":1,"kind":"total","records":`, uint64(records))
	b = append(appendKey(b, `,"bytes":`, uint64(bytes)), "}\n"...)
	_, err := w.Write(b)
	return err
}
