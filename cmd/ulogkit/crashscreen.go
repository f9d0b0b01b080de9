package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
	"golang.org/x/term"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format/crash"
)

// crashScreen prints a crash dump for a person.
type crashScreen struct {
	all, regs bool
	width     int // columns
}

const (
	maxColumns = 100
	minColumns = 40
)

// columns returns how wide lines may be: as the terminal is, up to 100.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return min(max(width, minColumns), maxColumns)
		}
	}
	return maxColumns
}

// print prints what a person asks first: what happened, to whom, where and why.
func (s *crashScreen) print(w io.Writer, row *inspect.Crash) {
	s.head(w, row)
	if row.Fault == nil {
		s.lost(w, row)
		return
	}
	s.match(w, row)
	fmt.Fprintln(w, color.New(color.Bold).Sprint("where"))
	folded := s.backtrace(w, row)
	fmt.Fprintln(w, color.New(color.Bold).Sprint("why"))
	s.reasons(w, row.Fault.Reasons)
	s.lost(w, row)
	if s.regs {
		fmt.Fprintln(w, color.New(color.Bold).Sprint("registers and memory"))
		printRegisters(w, row.CoreDump)
		printRegions(w, row.CoreDump)
	}
	s.ask(w, row, folded)
}

// head says what happened, and to which device.
func (s *crashScreen) head(w io.Writer, row *inspect.Crash) {
	if row.Summary != "" {
		s.wrap(w, "", "", row.Summary, color.New(color.FgRed, color.Bold).Sprint)
	}
	s.field(w, "file", fmt.Sprintf("%s, %d bytes, %s", quotedName(row.File), row.TotalLen, plainGoodness(row.Error)))
	if row.DeviceSerial != "" || row.DeviceType != "" || row.ApplicationID != 0 {
		s.field(w, "device", fmt.Sprintf("%q, %q, application %d", row.DeviceSerial, row.DeviceType, row.ApplicationID))
		s.field(w, "firmware", fmt.Sprintf("%q, commit %q", row.VersionString, row.GitHash))
	}
	if row.Running != "" {
		s.field(w, "running", quotedName(row.Running))
	}
}

func plainGoodness(reason string) string {
	if reason != "" {
		return "bad"
	}
	return "good"
}

func (s *crashScreen) field(w io.Writer, name, text string) {
	s.wrap(w, fmt.Sprintf("  %-9s", name), strings.Repeat(" ", 11), text, nil)
}

// match says how far the firmware is that of the dump.
func (s *crashScreen) match(w io.Writer, row *inspect.Crash) {
	if row.Match == "" {
		return
	}
	reasons, most := row.MatchReasons, 1
	if row.Match == crash.Doubtful || row.Match == crash.Wrong {
		most = 3
	}
	if !s.all && len(reasons) > most {
		reasons = reasons[:most]
	}
	paint := fmt.Sprint
	if row.Match == crash.Doubtful || row.Match == crash.Wrong {
		paint = color.New(color.FgRed).Sprint
	}
	text := fmt.Sprintf("%s: %s. %s", row.Match, quotedName(row.ELF), strings.Join(reasons, " "))
	s.wrap(w, "  match    ", strings.Repeat(" ", 11), strings.TrimSpace(text), paint)
}

// reasons says why, the first in colour; the last ones are about who ran.
func (s *crashScreen) reasons(w io.Writer, reasons []string) {
	const most = 4
	shown := reasons
	if !s.all && len(shown) > most {
		shown = shown[:most]
	}
	for i, reason := range shown {
		paint := fmt.Sprint
		if i == 0 {
			paint = color.New(color.FgRed).Sprint
		}
		s.wrap(w, "  ", "    ", reason, paint)
	}
	if n := len(reasons) - len(shown); n > 0 {
		s.wrap(w, "  ", "    ", fmt.Sprintf("%d more: --all shows them.", n), nil)
	}
}

// lost says what of the dump is missing, and what else is to be known.
func (s *crashScreen) lost(w io.Writer, row *inspect.Crash) {
	if row.StackOverflow {
		s.wrap(w, "  ! ", "    ", "The device found that its stack had overflowed: registers and memory may be damaged.", color.New(color.FgYellow).Sprint)
	}
	for _, line := range row.Lost {
		s.wrap(w, "  ! ", "    ", quotedName(line), color.New(color.FgYellow).Sprint)
	}
	for _, line := range row.Notes {
		s.wrap(w, "  - ", "    ", quotedName(line), nil)
	}
}

// ask says what else there is.
func (s *crashScreen) ask(w io.Writer, row *inspect.Crash, folded int) {
	var more []string
	if folded > 0 {
		more = append(more, fmt.Sprintf("--all for %d uncertain frames", folded))
	}
	if !s.regs {
		more = append(more, "--regs for registers and memory")
	}
	if len(more) > 0 {
		s.wrap(w, "  ", "  ", "More: "+strings.Join(more, ", ")+", --json for programs.", color.New(color.Faint).Sprint)
	}
	if row.FirmwareFits == nil || !*row.FirmwareFits {
		s.wrap(w, "  ", "  ", "Give the firmware with --elf for names and callers.", nil)
	}
}

// maxUncertain is how many lines of uncertain frames are shown without --all,
// where there is little that is certain.
const maxUncertain = 8

// backtrace prints the frames and returns how many it has left out. Of a
// recursion, its depth says more than its lines.
func (s *crashScreen) backtrace(w io.Writer, row *inspect.Crash) (folded int) {
	calls := row.Backtrace
	width, certain := 0, 0
	for i := range calls {
		width = max(width, utf8.RuneCountInString(functionText(&calls[i])))
		if calls[i].Confidence == crash.Unwound {
			certain++
		}
	}

	width = min(width, s.width/2-16)
	lines := 0
	leftovers := false
	gap, beyond := len(calls)-row.Outermost, 0 // where frames are left out
	for i := 0; i < len(calls); i++ {
		call := &calls[i]
		times := 1
		for !s.all && i+1 < len(calls) && i+1 != gap && sameCall(&calls[i+1], call) {
			times++
			i++
		}

		uncertain := call.Confidence == crash.Scanned && (i > 0 || times > 1)
		if uncertain {
			if lines++; !s.all && (certain > 3 || lines > maxUncertain) {
				folded += times
				continue
			}
			if !leftovers {
				leftovers = true
				s.wrap(w, "  ", "  ", "found on the stack or in lr; possible leftovers of calls that had returned:", nil)
			}
		}

		s.frame(w, call, i-times+1+beyond, times, width)
		if i == 0 && row.Source != nil {
			s.wrap(w, "         > ", "           ", quotedName(row.Source.Text), color.New(color.Faint).Sprint)
		}

		if row.Omitted > 0 && i+1 == gap {
			fmt.Fprintf(w, "  ... %d frames left out\n", row.Omitted)
			beyond = row.Omitted
		}
	}
	return folded
}

// sameCall reports whether two frames are the same place in a recursion.
func sameCall(a, b *inspect.Call) bool {
	return a.PC == b.PC && (a.How == crash.FromException) == (b.How == crash.FromException) && a.Inlined == b.Inlined && functionText(a) == functionText(b)
}

// frame prints a frame. What does not fit goes on the next line.
func (s *crashScreen) frame(w io.Writer, call *inspect.Call, number, times, width int) {
	name := functionText(call)
	if utf8.RuneCountInString(name) > s.width-24 {
		name = middle(name, s.width-24)
	}

	mark := " "
	if call.Confidence == crash.Scanned {
		mark = "?"
	}

	line := fmt.Sprintf("  %-4s%s0x%08x  %-*s", "#"+strconv.Itoa(number), mark, call.PC, width, name)
	place := ""
	if call.Line != nil {
		place = quotedName(*call.File) + ":" + strconv.Itoa(*call.Line)
		if room := s.width - 26; len(place) > room {
			place = "..." + strings.ToValidUTF8(place[len(place)-room+3:], "?")
		}
	}

	var marks []string
	if call.Inlined {
		marks = append(marks, "inlined")
	}

	switch call.How {
	case crash.FromException:
		marks = append(marks, "interrupted here")
	case crash.FromTail:
		marks = append(marks, "tail call")
	}

	if times > 1 {
		marks = append(marks, fmt.Sprintf("%d times", times))
	}
	rest := place
	if len(marks) > 0 {
		rest = strings.TrimSpace(rest + "  " + strings.Join(marks, ", "))
	}
	if rest == "" {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		return
	}
	painted := place
	if len(marks) > 0 {
		painted = strings.TrimSpace(painted + "  " + color.YellowString("%s", strings.Join(marks, ", ")))
	}
	if utf8.RuneCountInString(line)+2+utf8.RuneCountInString(rest) <= s.width {
		fmt.Fprintf(w, "%s  %s\n", line, painted)
		return
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
	s.wrap(w, "           ", "           ", rest, nil)
}

// middle shortens a text to n columns, leaving out what is in the middle.
func middle(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n || n < 8 {
		return s
	}
	return string(runes[:n/2-2]) + "..." + string(runes[len(runes)-(n-n/2-1):])
}

// wrap prints a text in lines of the width, with one prefix for the first and
// one for the others.
func (s *crashScreen) wrap(w io.Writer, first, next, text string, paint func(...any) string) {
	if paint == nil {
		paint = fmt.Sprint
	}

	prefix, line := first, ""
	flush := func() {
		fmt.Fprintf(w, "%s%s\n", prefix, paint(line))
		prefix, line = next, ""
	}
	for word := range strings.FieldsSeq(text) {
		for utf8.RuneCountInString(word) > s.width-len(next) { // a path, mostly
			if line != "" {
				flush()
			}
			runes := []rune(word)
			n := s.width - len(prefix)
			line = string(runes[:n])
			word = string(runes[n:])
			flush()
		}

		switch {
		case line == "":
			line = word
		case len(prefix)+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > s.width:
			flush()
			line = word
		default:
			line += " " + word
		}
	}

	if line != "" {
		flush()
	}
}

func functionText(call *inspect.Call) string {
	switch {
	case call.Function == nil:
		return "?"
	case call.Inlined:
		return quotedName(*call.Function)
	}
	return fmt.Sprintf("%s+%d", quotedName(*call.Function), *call.Offset)
}

// quotedName quotes a name of a foreign file that could steer a terminal.
func quotedName(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(s)
	}
	return s
}
