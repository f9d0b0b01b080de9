// Package spec reads spec files: Kaitai Struct files within the subset that
// README.md of this directory describes, and says exactly what is wrong with
// those outside it.
//
// [Source] is the file that describes the uLogger bytes. [Parse] turns it, or
// any other, into a [Spec]: types with their fields, enums, and expressions that
// are resolved and typed. A Spec says enough to read bytes by it (the generator
// of package format does, and so does the reference interpreter its output is
// compared with).
//
// Guarantees: Parse never panics, whatever the bytes; it reports several
// mistakes at once, each as file:line:col: path: reason, in the order of the
// file; and what it accepts has no length without bounds, no type that contains
// itself, no field out of reach and no integer expression beyond 64 bits.
package spec

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
)

// Source is ulogger.ksy, the description of the uLogger bytes.
//
//go:embed ulogger.ksy
var Source []byte

// SourceName is the name of Source from the root of the repository.
const SourceName = "spec/ulogger.ksy"

// Parse reads and checks the spec file src. The base of name, without .ksy, must
// be the file's meta.id; errors name the file by it. The error is of type
// Errors.
func Parse(name string, src []byte) (*Spec, error) {
	r := &reader{file: name, src: src}
	root := r.load()
	if root == nil {
		return nil, r.errs.Err()
	}
	s := r.spec(root)
	sum := sha256.Sum256(src)
	s.SHA256 = hex.EncodeToString(sum[:])
	c := &checker{Spec: s, errs: r.errs}
	c.check()
	if err := c.errs.Err(); err != nil {
		return nil, err
	}
	return s, nil
}
