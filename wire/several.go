package wire

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// File is one of several capture files that are read as one.
type File struct {
	Name string // for errors
	// Open opens the file. It is called twice.
	Open func() (io.ReadCloser, error)
}

// NewCaptureFiles returns a reader of several capture files as one, such as those
// of a capture that was rotated, or of two hosts: packets are read by time, and
// connections go on from one file to the next. It looks at the first packet of
// each. A file that cannot be read, or not to its end, does not stop the others;
// Err tells.
func NewCaptureFiles(files []File, config CaptureConfig) (*Capture, error) {
	m := &merged{}
	for _, f := range files {
		first, err := firstTime(f)
		switch {
		case errors.Is(err, io.EOF): // no packets
		case err != nil:
			m.errs = append(m.errs, fmt.Errorf("%s: %w", f.Name, err))
		default:
			m.waiting = append(m.waiting, waitingFile{f, first})
		}
	}
	if len(m.errs) == len(files) && len(files) > 0 {
		return nil, errors.Join(m.errs...)
	}
	slices.SortStableFunc(m.waiting, func(a, b waitingFile) int { return a.first.Compare(b.first) })
	return &Capture{config: config, source: m}, nil
}

// firstTime returns when the first packet of a file was captured.
func firstTime(f File) (_ time.Time, err error) {
	r, err := f.Open()
	if err != nil {
		return time.Time{}, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	c, err := openCapture(r)
	if err != nil {
		return time.Time{}, err
	}
	p, err := c.next()
	return p.time, err
}

// merged reads several files by time. A file is open only from the time of its
// first packet on.
type merged struct {
	waiting []waitingFile // by time
	open    []*openFile
	last    *openFile // whose packet was given out
	errs    []error
}

type waitingFile struct {
	File
	first time.Time
}

type openFile struct {
	name   string
	closer io.Closer
	file   *captureFile
	packet capturedPacket // the next
}

// next implements packetSource.
func (m *merged) next() (capturedPacket, error) {
	if m.last != nil {
		if err := m.advance(m.last); err != nil {
			return capturedPacket{}, err
		}
		m.last = nil
	}

	for {
		var first *openFile
		for _, f := range m.open {
			if first == nil || f.packet.time.Before(first.packet.time) {
				first = f
			}
		}

		if len(m.waiting) > 0 && (first == nil || !m.waiting[0].first.After(first.packet.time)) {
			w := m.waiting[0]
			m.waiting = m.waiting[1:]
			if err := m.start(w.File); err != nil {
				return capturedPacket{}, err
			}
			continue
		}
		if first == nil {
			if len(m.errs) > 0 {
				return capturedPacket{}, errors.Join(m.errs...)
			}
			return capturedPacket{}, io.EOF
		}

		m.last = first
		return first.packet, nil
	}
}

func (m *merged) start(f File) error {
	r, err := f.Open()
	if err != nil {
		m.errs = append(m.errs, fmt.Errorf("%s: %w", f.Name, err))
		return nil
	}
	file, err := openCapture(r)
	if err != nil {
		m.errs = append(m.errs, fmt.Errorf("%s: %w", f.Name, errors.Join(err, r.Close())))
		return nil
	}
	o := &openFile{name: f.Name, closer: r, file: file}
	m.open = append(m.open, o)
	return m.advance(o)
}

// advance reads a file's next packet, or closes it. Only an end of all reading
// is an error.
func (m *merged) advance(o *openFile) (err error) {
	if o.packet, err = o.file.next(); err == nil {
		return nil
	}
	m.open = slices.DeleteFunc(m.open, func(f *openFile) bool { return f == o })
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, o.closer.Close()); err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", o.name, err)
	if errors.Is(err, errInput) {
		return errors.Join(append(m.errs, err)...)
	}
	m.errs = append(m.errs, err)
	return nil
}

// NewCaptureSource returns a reader of what gopacket gives packets from, such as
// a live handle, until that returns io.EOF. The link is the handle's LinkType.
func NewCaptureSource(source gopacket.PacketDataSource, link layers.LinkType, config CaptureConfig) *Capture {
	return &Capture{config: config, source: dataSource{source, uint16(link)}}
}

type dataSource struct {
	source gopacket.PacketDataSource
	link   uint16
}

// next implements packetSource.
func (d dataSource) next() (capturedPacket, error) {
	data, info, err := d.source.ReadPacketData()
	return capturedPacket{time: info.Timestamp, link: d.link, data: data}, err
}
