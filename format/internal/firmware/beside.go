package firmware

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
)

// DebugBeside opens the debug information of a stripped firmware file at path: what
// .gnu_debuglink names or has the same build id. It returns nil without any, and in
// missing the name of the one that .gnu_debuglink wants.
func (f *File) DebugBeside(path string) (debug *File, end func() error, missing string) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	link, sum := f.DebugLink()
	id := f.BuildID()
	var names []string
	if link != "" {
		link = filepath.Base(link)
		names = append(names, filepath.Join(dir, link), filepath.Join(dir, ".debug", link))
	}

	names = append(names, filepath.Join(dir, base+".debug"), filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".debug"))
	if digits := fmt.Sprintf("%x", id); len(digits) > 2 {
		of := filepath.Join(".build-id", digits[:2], digits[2:]+".debug")
		names = append(names, filepath.Join(dir, of), filepath.Join("/usr/lib/debug", of))
	}

	for _, name := range names {
		file, size, err := OpenFile(name, "an ELF file")
		if err != nil {
			continue
		}
		other, err := Open(file, size)
		if err == nil {
			same := len(id) > 0 && bytes.Equal(id, other.BuildID())
			if !same && link != "" {
				hash := crc32.NewIEEE()
				_, err = io.Copy(hash, io.NewSectionReader(file, 0, size))
				same = err == nil && hash.Sum32() == sum
			}
			if same {
				other.Path = name
				return other, file.Close, ""
			}
		}

		file.Close()
	}
	return nil, nil, link
}

// CodeBeside opens the firmware of which the file at path, with the same build id, has
// the debug information alone. It returns nil without any.
func (f *File) CodeBeside(path string) (code *File, end func() error) {
	id := f.BuildID()
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	for _, name := range []string{stem, stem + ".elf", stem + ".axf", stem + ".out"} {
		if name == path {
			continue
		}
		file, size, err := OpenFile(name, "an ELF file")
		if err != nil {
			continue
		}
		other, err := Open(file, size)
		if err == nil && len(id) > 0 && bytes.Equal(id, other.BuildID()) {
			other.Path = name
			return other, file.Close
		}
		file.Close()
	}
	return nil, nil
}
