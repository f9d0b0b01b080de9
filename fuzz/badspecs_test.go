package fuzz

import (
	"fmt"
	"strings"
)

// badSpecs are spec files that are refused: YAML that is not plain, and what the
// subset leaves out.
func badSpecs() []badFile {
	var out []badFile
	add := func(name, text string) { out = append(out, badFile{"spec", name + ".ksy", []byte(text), "spec"}) }
	good := strings.Replace(smallSpec, "id: small", "id: bad", 1)
	edit := func(name, from, to string) {
		if !strings.Contains(good, from) {
			panic("the small spec holds no " + from)
		}
		add(name, strings.Replace(good, from, to, 1))
	}

	// YAML
	add("empty", "")
	add("zeros", strings.Repeat("\x00", 100))
	add("ones", strings.Repeat("\xff", 100))
	add("yaml-not-utf8", "meta:\n  id: \xff\xfe\n")
	add("yaml-byte-order-mark", "\ufeff"+good)
	add("yaml-carriage-returns", strings.ReplaceAll(good, "\n", "\r\n"))
	add("yaml-nul", "meta: \x00\n")
	add("yaml-tab", "meta:\n\tid: bad\n")
	add("yaml-scalar", "bad\n")
	add("yaml-list", "- meta\n- seq\n")
	add("yaml-two-documents", "meta:\n  id: bad\n---\nmeta:\n  id: bad\n")
	add("yaml-unclosed", "meta: {id: bad\n")
	add("yaml-unclosed-quote", "meta:\n  id: \"bad\n")
	bomb := "a0: &a0 [x, x]\n"
	for i := range 30 {
		bomb += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	add("yaml-alias-bomb", bomb)
	add("yaml-alias-of-itself", "meta: &m\n  id: *m\n")
	add("yaml-anchor-unused", "meta: &m\n  id: bad\n")
	add("yaml-merge-key", "meta:\n  <<: {id: bad}\n")
	add("yaml-tag", "meta: !!map\n  id: !!str bad\n")
	add("yaml-nested-lists", strings.Repeat("[", 5000)+strings.Repeat("]", 5000))
	add("yaml-nested-maps", strings.Repeat("{a: ", 5000)+strings.Repeat("}", 5000))
	add("yaml-long-line", "meta: "+strings.Repeat("x", 70000)+"\n")
	add("yaml-complex-key", "? [a, b]\n: c\n")

	// Keys
	edit("key-twice", "  endian: le\n", "  endian: le\n  endian: le\n")
	edit("key-twice-in-a-field", "type: u2be, ", "type: u2be, type: u2be, ")
	edit("key-unknown", "  endian: le\n", "  endian: le\n  imports: [other]\n")
	edit("key-unknown-extension", "  endian: le\n", "  endian: le\n  -webide: x\n")
	edit("key-null", "  endian: le\n", "  endian: ~\n")
	edit("id-not-the-file", "id: bad", "id: other")
	edit("id-missing", "  id: bad\n", "")
	edit("id-upper-case", "{id: a, ", "{id: A, ")
	edit("id-twice", "{id: b, ", "{id: a, ")

	// Fields
	edit("type-unknown", "type: u2be", "type: u3")
	edit("type-missing", "{id: rest, size-eos: true,", "{id: rest,")
	edit("type-of-itself", "size: len_body - 1, type: tail", "size: len_body - 1, type: calls")
	edit("length-unbounded", "        valid: {min: 1, max: most}\n", "")
	edit("length-negative", "valid: {min: 1, max: most}", "valid: {min: 0, max: most}")
	edit("length-overflow", "size: len_body - 1", "size: len_body * 0x7fffffffffffffff")
	edit("bits-unfinished", "type: b12", "type: b11")
	edit("enum-unknown", "enum: kind, doc", "enum: king, doc")
	edit("enum-value-unknown", "kind::none", "kind::nine")
	edit("field-read-later", "if: flag and kind != kind::none", "if: more == 0")
	edit("field-after-the-end", "      - {id: rest, size-eos: true, doc: The rest.}\n", "      - {id: rest, size-eos: true, doc: The rest.}\n      - {id: last, type: u1, doc: Never.}\n")
	edit("repeat-of-all", "        type: u1\n        repeat: until\n", "        size-eos: true\n        repeat: until\n")
	edit("expression-open", "repeat-until: _ == 0 or _io.eof", "repeat-until: (_ == 0 or _io.eof")
	edit("expression-deep", "repeat-until: _ == 0 or _io.eof", "repeat-until: "+strings.Repeat("(", 500)+"true"+strings.Repeat(")", 500))
	edit("expression-long", "repeat-until: _ == 0 or _io.eof", "repeat-until: "+strings.Repeat("_ == 0 or ", 500)+"true")
	edit("expression-number", "valid: {min: 1, max: most}", "valid: {min: 1, max: 99999999999999999999}")
	edit("expression-octal", "valid: {min: 1, max: most}", "valid: {min: 01, max: most}")
	edit("expression-divides-by-zero", "size: len_body - 1", "size: len_body / 0")
	edit("expression-method", "size: len_body - 1", "size: len_body.to_s")
	edit("contents-no-byte", "contents: [1, 2]", "contents: [1, 256]")
	edit("doc-missing", "    doc: Numbers of all widths.\n", "")
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("unknown%d: 1\n", i)
	}
	add("errors-more-than-20", many)

	// A good file, cut and doubled.
	for _, n := range []int{1, 10, 60, 100, 200, 500, 1000, strings.Index(good, "\nenums:")} {
		add(fmt.Sprintf("truncated-%04d", n), good[:n])
	}
	add("glued-twice", good+good)
	return out
}
