package crash

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// system is where an operating system keeps the name of the task that runs: from a
// variable, by the members of structs.
type system struct {
	variable string
	members  []string
}

// Source: tasks.c of FreeRTOS, kernel_structs.h and thread.h of Zephyr, tx_api.h
// of ThreadX.
var systems = [...]system{
	{"pxCurrentTCB", []string{"pcTaskName"}},
	{"_kernel", []string{"cpus", "current", "name"}},
	{"_tx_thread_current_ptr", []string{"tx_thread_name"}},
}

// taskVar is a variable by which the name of the task is found.
type taskVar struct {
	system
	addr uint32
}

// taskVars returns those that the firmware has.
func taskVars(f *firmware.File) (vars []taskVar) {
	var names []string
	for _, s := range systems {
		names = append(names, s.variable)
	}
	values, err := f.Values(names...)
	if err != nil {
		return nil
	}
	for _, s := range systems {
		if addr, ok := values[s.variable]; ok {
			vars = append(vars, taskVar{s, addr})
		}
	}
	return vars
}

// maxTaskName is how long a name of a task may be, in bytes.
const maxTaskName = 64

// taskName returns the name that the operating system has for the task that runs,
// as far as the debug information tells where it is and the dump holds it.
func (fw *Firmware) taskName(d *Dump) string {
	if fw == nil {
		return ""
	}
	for _, v := range fw.tasks {
		way, size, ok := fw.debug.Variable(v.variable, v.members...)
		if !ok {
			continue
		}
		if size == 0 || size > maxTaskName {
			size = maxTaskName
		}
		if name := fw.textAt(d, v.addr, way, size); name != "" {
			return name
		}
	}
	return ""
}

// textAt returns the text that a way from an address leads to, if it is one that a
// person has written.
func (fw *Firmware) textAt(d *Dump, addr uint32, way []firmware.Step, most uint32) string {
	for _, s := range way {
		addr += s.Offset
		if !s.Load {
			continue
		}
		word, ok := d.mem.word(addr)
		if !ok || word == 0 {
			return ""
		}
		addr = word
	}

	b := d.mem.from(addr)
	if b == nil { // a constant
		b = fw.bytes(addr)
	}

	b = b[:min(len(b), int(most))]
	end := bytes.IndexByte(b, 0)
	if end <= 0 || !utf8.Valid(b[:end]) {
		return ""
	}
	name := string(b[:end])
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return ""
		}
	}
	return name
}
