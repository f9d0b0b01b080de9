package crash

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// Load reads the firmware's ELF file at path, and where its debug information is
// in other files, those beside it: what .gnu_debuglink names or has the same
// build id, .dwo and .dwp.
func Load(path string) (*Firmware, error) {
	f, size, err := firmware.OpenFile(path, "the firmware's ELF file")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fw, err := ReadELF(f, size)
	if errors.Is(err, ErrNotELF) && isDictionary(f, path) {
		err = fmt.Errorf("%w but a dictionary, which holds strings and no code: give the ELF file that it was made of", ErrNotELF)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	fw.Path = path
	fw.complete()
	return fw, nil
}

// isDictionary tells dictionary files as package dict does.
func isDictionary(f io.ReaderAt, path string) bool {
	var start [1]byte
	_, err := f.ReadAt(start[:], 0)
	return err == nil && (start[0] == '{' || strings.EqualFold(filepath.Ext(path), ".csv"))
}

// Limits of what is read of folders.
const (
	maxListed = 16 << 10 // files that are looked at
	maxBuilds = 256
	maxSplits = 4096
)

// LoadAll reads the firmware in files and in folders, those below included. In a
// folder, what is no firmware is passed over. A file of debug information alone
// goes with the one of the same build that has the code.
func LoadAll(paths []string) ([]*Firmware, error) {
	return LoadEach(paths, func(string) {})
}

// LoadEach is [LoadAll] that calls read after each file, by its path, that it has looked
// at: for many builds it takes long enough to be told how far it is.
func LoadEach(paths []string, read func(path string)) ([]*Firmware, error) {
	var all []*Firmware
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			fw, err := Load(path)
			if err != nil {
				return nil, err
			}
			all = append(all, fw)
			read(path)
			continue
		}

		found, err := loadFolder(path, read)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return pair(all), nil
}

// loadFolder reads all firmware files below a folder.
func loadFolder(path string, read func(string)) (all []*Firmware, err error) {
	listed := 0
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if listed++; listed > maxListed || len(all) >= maxBuilds {
			return fmt.Errorf("%s: more than %d files or %d firmware files: give a smaller folder", path, maxListed, maxBuilds)
		}
		defer read(name)
		if !beginsAsELF(name) {
			return nil
		}
		if fw, err := Load(name); err == nil {
			all = append(all, fw)
		}
		return nil
	})

	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no firmware's ELF file in this folder", path)
	}
	return all, err
}

func beginsAsELF(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var start [4]byte
	_, err = io.ReadFull(f, start[:])
	return err == nil && string(start[:]) == "\x7fELF"
}

// pair puts debug information to the code that it is of.
func pair(all []*Firmware) (kept []*Firmware) {
	for _, fw := range all {
		if !fw.blind {
			kept = append(kept, fw)
		}
	}

	for _, fw := range all {
		if !fw.blind {
			continue
		}
		alone := true
		for _, code := range kept {
			if code.of(fw) {
				code.attach(fw)
				alone = false
			}
		}

		if alone {
			kept = append(kept, fw)
		}
	}
	return kept
}

// of reports whether debug is the debug information of this code.
func (fw *Firmware) of(debug *Firmware) bool {
	if len(fw.buildID) > 0 || len(debug.buildID) > 0 {
		return bytes.Equal(fw.buildID, debug.buildID)
	}
	return fw.link != "" && filepath.Base(debug.Path) == fw.link
}

// attach takes over what only another file of the build has.
func (fw *Firmware) attach(debug *Firmware) {
	if fw.debug.Empty() && fw.debug.Lines.Empty() {
		fw.debug = debug.debug
	}
	if len(fw.rules.index) == 0 {
		fw.rules = debug.rules
	}
	if len(fw.functions) < len(debug.functions) {
		fw.functions = debug.functions
	}
	fw.Notes = append(fw.Notes, debug.Notes...)
}

// complete reads the other files that the firmware refers to. One that is
// missing is told, as the frames then lack their lines.
func (fw *Firmware) complete() {
	dir := filepath.Dir(fw.Path)
	if !fw.blind && fw.debug.Empty() && fw.debug.Lines.Empty() {
		fw.findDebug(dir)
	}
	if fw.blind {
		fw.findCode(dir)
	}
	fw.findSplits(dir)
}

// findDebug reads the debug information of a firmware that was stripped.
func (fw *Firmware) findDebug(dir string) {
	var names []string
	if name := fw.link; name != "" {
		name = filepath.Base(name)
		names = append(names, filepath.Join(dir, name), filepath.Join(dir, ".debug", name))
	}

	base := filepath.Base(fw.Path)
	names = append(names, filepath.Join(dir, base+".debug"), filepath.Join(dir, strings.TrimSuffix(base, filepath.Ext(base))+".debug"))
	if id := fmt.Sprintf("%x", fw.buildID); len(id) > 2 {
		names = append(names, filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"), filepath.Join("/usr/lib/debug/.build-id", id[:2], id[2:]+".debug"))
	}

	for i, name := range names {
		debug, sum, err := readBeside(name)
		if err != nil || debug.debug.Empty() && len(debug.functions) == 0 {
			continue
		}
		same := len(fw.buildID) > 0 && bytes.Equal(fw.buildID, debug.buildID)
		if !same && (fw.link == "" || sum != fw.linkSum) {
			if i == 0 && fw.link != "" {
				fw.Notes = append(fw.Notes, fmt.Sprintf("%s is named as the debug information, but is of another build.", name))
			}
			continue
		}
		fw.attach(debug)
		fw.Notes = append(fw.Notes, fmt.Sprintf("The debug information was read from %s.", name))
		return
	}

	if fw.link != "" {
		fw.Notes = append(fw.Notes, fmt.Sprintf("The debug information is in %s, which is not beside the firmware: give it with another --elf.", fw.link))
	}
}

// findCode reads the code of a file that has the debug information alone.
func (fw *Firmware) findCode(dir string) {
	name := filepath.Base(fw.Path)
	stem, ok := strings.CutSuffix(name, ".debug")
	if !ok {
		return
	}
	for _, name := range []string{stem, stem + ".elf", stem + ".axf", stem + ".out"} {
		code, _, err := readBeside(filepath.Join(dir, name))
		if err != nil || code.blind || !code.of(fw) {
			continue
		}
		code.attach(fw)
		code.Path = fw.Path
		code.Notes = append(code.Notes, fmt.Sprintf("The code was read from %s.", filepath.Join(dir, name)))
		*fw = *code
		return
	}
}

func readBeside(name string) (fw *Firmware, sum uint32, err error) {
	f, size, err := firmware.OpenFile(name, "an ELF file")
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if fw, err = ReadELF(f, size); err != nil {
		return nil, 0, err
	}
	hash := crc32.NewIEEE()
	if _, err = io.Copy(hash, io.NewSectionReader(f, 0, size)); err != nil {
		return nil, 0, err
	}
	fw.Path = name
	return fw, hash.Sum32(), nil
}

// findSplits reads the split files of the debug information.
func (fw *Firmware) findSplits(dir string) {
	splits := fw.debug.Splits()
	if len(splits) == 0 {
		return
	}

	missing := map[uint64]string{}
	for _, s := range splits[:min(len(splits), maxSplits)] {
		missing[s.ID] = s.Name
	}

	add := func(name string) bool {
		f, size, err := firmware.OpenFile(name, "a split file of debug information")
		if err != nil {
			return false
		}
		defer f.Close()
		e, err := firmware.OpenSplit(f, size)
		if err == nil {
			err = fw.debug.AddSplit(e)
		}
		if err != nil {
			fw.Notes = append(fw.Notes, fmt.Sprintf("%s: %v", name, err))
		}
		return err == nil
	}

	stem := strings.TrimSuffix(fw.Path, filepath.Ext(fw.Path))
	for _, name := range []string{fw.Path + ".dwp", stem + ".dwp"} {
		if add(name) {
			break
		}
	}

	for _, s := range splits[:min(len(splits), maxSplits)] {
		if fw.debug.HasSplit(s.ID) {
			delete(missing, s.ID)
			continue
		}
		names := []string{filepath.Join(dir, s.Name), filepath.Join(dir, filepath.Base(s.Name)), filepath.Join(s.Dir, s.Name)}
		if filepath.IsAbs(s.Name) {
			names[0] = s.Name
		}
		for _, name := range names {
			if add(name) && fw.debug.HasSplit(s.ID) {
				delete(missing, s.ID)
				break
			}
		}
	}

	if len(missing) > 0 {
		for _, s := range splits {
			if name, ok := missing[s.ID]; ok {
				fw.Notes = append(fw.Notes, fmt.Sprintf(
					"%s of debug information %s not beside the firmware, such as %s: inlined functions are not shown.", count(len(missing), "split file"), plural(len(missing), "is", "are"), name))
				break
			}
		}
	}
}
