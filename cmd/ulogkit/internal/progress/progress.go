// Package progress tells a person at a terminal how far a command is: bytes, records and
// the time that is left. It says nothing of what takes less than a second, and nothing at
// all where nobody watches.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Quiet is how long a command works before it shows how far it is.
const Quiet = time.Second

// Meter counts what is done. It may be used by several goroutines at a time, and a nil
// one counts nothing.
type Meter struct {
	what    string
	total   int64 // bytes, or records if they are what is counted; -1 if nobody knows
	counted bool  // records are
	begun   time.Time

	mu             sync.Mutex
	bytes, records int64
	screen         io.Writer
	bar            *progressbar.ProgressBar // counts from the beginning, for the time that is left
}

// New returns a Meter that draws on the screen, or nil if the screen is nil. What says
// what is done, such as "decoding"; total is in bytes, or -1 where the end is not known.
func New(screen io.Writer, what string, total int64) *Meter {
	if screen == nil {
		return nil
	}
	m := &Meter{what: what, total: total, begun: time.Now(), screen: screen}
	m.bar = m.newBar(progressbar.OptionShowBytes(true))
	return m
}

// NewRecords is [New] where it is known how many records there are, and not how many
// bytes.
func NewRecords(screen io.Writer, what string, total int64) *Meter {
	if screen == nil {
		return nil
	}
	m := &Meter{what: what, total: total, counted: true, begun: time.Now(), screen: screen}
	m.bar = m.newBar(progressbar.OptionShowIts(), progressbar.OptionSetItsString("records"))
	return m
}

func (m *Meter) newBar(own ...progressbar.Option) *progressbar.ProgressBar {
	// Without an interval nothing turns by itself, in a goroutine that shares the bar's
	// state without its lock.
	return progressbar.NewOptions64(m.total, append(own, progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionSetWriter(late{m}), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetDescription(m.what), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(20))...)
}

// late is the screen, and nothing before it is time.
type late struct{ m *Meter }

func (l late) Write(p []byte) (int, error) {
	if time.Since(l.m.begun) < Quiet {
		return len(p), nil
	}
	return l.m.screen.Write(p)
}

// Add counts bytes and records that are done.
func (m *Meter) Add(bytes, records int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += bytes
	m.records += records
	m.draw()
}

// Set says how much is done in all.
func (m *Meter) Set(bytes, records int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes, m.records = bytes, records
	m.draw()
}

func (m *Meter) draw() {
	done := m.bytes
	if m.counted {
		done = m.records
	}
	if m.total >= 0 {
		// The file may have grown; and a bar that is full is not drawn any more, though
		// there may be more to do than what is counted.
		done = max(0, min(done, m.total-1))
	}
	m.bar.Set64(done)
	switch {
	case m.counted && m.bytes > 0:
		m.bar.Describe(fmt.Sprintf("%s, %.1f MB", m.what, float64(m.bytes)/1e6))
	case !m.counted && m.records > 0:
		m.bar.Describe(fmt.Sprintf("%s, %d records", m.what, m.records))
	}
}

// Watch asks again and again how much is done in all, until stop is called, which takes
// what was drawn off the screen.
func (m *Meter) Watch(done func() (bytes, records int64)) (stop func()) {
	if m == nil {
		return func() {}
	}
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
				m.Set(done())
			}
		}
	}()

	var once sync.Once
	return func() {
		once.Do(func() {
			close(stopped)
			<-ended
			m.Done()
		})
	}
}

// Above writes to w, the screen too, after taking off it what was drawn: so that each
// line stands alone. It is drawn again with the next count.
func (m *Meter) Above(w io.Writer) io.Writer {
	if m == nil {
		return w
	}
	return above{w, m}
}

type above struct {
	io.Writer
	m *Meter
}

func (a above) Write(p []byte) (int, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.bar.Clear()
	return a.Writer.Write(p)
}

// Done takes what was drawn off the screen.
func (m *Meter) Done() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bar.Clear()
	m.bar.Exit()
}

// Reader counts what is read from r.
func (m *Meter) Reader(r io.Reader) io.Reader {
	if m == nil {
		return r
	}
	return reader{r, m}
}

type reader struct {
	io.Reader
	m *Meter
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.m.Add(int64(n), 0)
	return n, err
}

// File is what a file is read by.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// File counts what is read from f, at any offset.
func (m *Meter) File(f File) File {
	if m == nil {
		return f
	}
	return file{f, m}
}

type file struct {
	File
	m *Meter
}

func (f file) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.m.Add(int64(n), 0)
	return n, err
}

func (f file) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	f.m.Add(int64(n), 0)
	return n, err
}
