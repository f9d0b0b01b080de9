package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// ErrRefused means that an output was not written, and nothing else was done, since
// it would have destroyed a file.
var ErrRefused = errors.New("refused")

// refusal is an error that unwraps to ErrRefused without saying it.
type refusal struct{ error }

func (refusal) Unwrap() error { return ErrRefused }

// Output is a file that a command writes.
type Output struct {
	Flag string // that names it, for errors
	Name string // "-" is standard output
	// Force lets it replace any file. Default: only what Mine knows.
	Force bool
	// Mine reports whether the command, or one like it, has written what is there.
	// Default: only what is empty.
	Mine func(old []byte) bool
}

// Check reports whether the output can be written and may be: before a command
// starts, since nothing can be undone then. It changes nothing.
func (o *Output) Check(inputs ...Input) error {
	if o.Name == "" || o.Name == "-" {
		return nil
	}

	if err := o.Apart(inputs...); err != nil {
		return err
	}
	target, regular, err := resolve(o.Name)
	if err != nil || !regular {
		return o.failure(err)
	}
	if err := o.mayReplace(target); err != nil {
		return err
	}

	f, err := durable.Create(target, durable.KeepMode)
	if err != nil {
		return o.failure(err)
	}
	f.Abort()
	return nil
}

// failure names the file in an error of the system.
func (o *Output) failure(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o.Name, cause(err))
}

// mayReplace reports whether what is there, if anything, may go.
func (o *Output) mayReplace(target string) error {
	if o.Force {
		return nil
	}

	f, err := os.Open(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	refused := func(why string) error {
		return refusal{fmt.Errorf("%s is there already and %s; --force replaces it", o.Name, why)}
	}
	if err != nil {
		return refused("cannot be read: " + cause(err).Error())
	}
	defer f.Close()

	old, err := io.ReadAll(io.LimitReader(f, MaxSize))
	if err != nil {
		return refused("cannot be read: " + cause(err).Error())
	}
	if len(old) == 0 || o.Mine != nil && o.Mine(old) {
		return nil
	}
	return refused("is not what this command writes")
}

// Write writes the output, after another look at what is there: a file whole or not
// at all, a pipe as it is.
func (o *Output) Write(b []byte, stdout io.Writer) error {
	if o.Name != "-" {
		target, regular, err := resolve(o.Name)
		if err != nil {
			return o.failure(err)
		}
		if regular {
			if err := o.mayReplace(target); err != nil {
				return err
			}
		}
	}
	return o.failure(Replace(o.Name, b, stdout))
}

// WriteFrom is Write for what is too long to be held: write writes it, and a file
// is there whole when that has succeeded. It returns the number of bytes.
func (o *Output) WriteFrom(write func(io.Writer) error, stdout io.Writer) (n int64, err error) {
	if o.Name == "-" {
		w := &counter{w: stdout}
		err := write(w)
		return w.n, err
	}

	target, regular, err := resolve(o.Name)
	if err != nil {
		return 0, o.failure(err)
	}
	if !regular {
		f, err := os.OpenFile(o.Name, os.O_WRONLY, 0)
		if err != nil {
			return 0, o.failure(err)
		}
		w := &counter{w: f}
		err = write(w)
		return w.n, o.failure(errors.Join(err, f.Close()))
	}

	if err := o.mayReplace(target); err != nil {
		return 0, err
	}
	f, err := durable.Create(target, durable.KeepMode)
	if err != nil {
		return 0, o.failure(err)
	}
	defer f.Abort()

	w := &counter{w: f}
	if err := write(w); err != nil {
		return 0, o.failure(err)
	}
	return w.n, o.failure(f.Commit())
}

// counter counts the bytes that are written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Extract writes the payload of somebody else into a folder that others may have
// put something into: a new file, for its owner alone, and never through a link. A
// file that holds these bytes already stays; another one is replaced only with
// force, and only if it is none of the inputs.
func Extract(name string, b []byte, force bool, inputs ...Input) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%s: %w", name, cause(err))
	case !info.Mode().IsRegular():
		return refusal{fmt.Errorf("%s is a %s; it was left alone", name, durable.Kind(info))}
	case !force:
		old, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(old, b) {
			return refusal{fmt.Errorf("%s is there already and holds something else; --force replaces it", name)}
		}
		if info.Mode().Perm()&^0o600 == 0 {
			return nil
		}
	default:
		if err := (&Output{Name: name}).Apart(inputs...); err != nil {
			return err
		}
	}

	if err := durable.ReplaceFile(name, b, 0o600); err != nil {
		return fmt.Errorf("%s: %w", name, cause(err))
	}
	return nil
}

// Grow begins a file, for its owner alone, that is written on and on: it replaces
// what is there when its first bytes are durable. A pipe is opened as it is.
func (o *Output) Grow(first func(io.Writer) error) (*os.File, error) {
	target, regular, err := resolve(o.Name)
	if err != nil {
		return nil, o.failure(err)
	}
	if !regular {
		f, err := os.OpenFile(o.Name, os.O_WRONLY, 0)
		if err != nil {
			return nil, o.failure(err)
		}
		return f, o.failure(first(f))
	}

	if err := o.mayReplace(target); err != nil {
		return nil, err
	}
	f, err := durable.Create(target, 0o600)
	if err != nil {
		return nil, o.failure(err)
	}

	if err := first(f); err != nil {
		f.Abort()
		return nil, o.failure(err)
	}

	if err := f.Appear(); err != nil {
		return nil, o.failure(err)
	}
	return f.File, nil
}

// MakeDir makes the folder of an extraction, for its owner alone, unless it is
// there.
func MakeDir(dir string) error { return durable.MakeDir(filepath.Clean(dir), 0o700) }
