meta:
  id: bad
  endian: le
  bit-endian: be
  encoding: UTF-8
doc: Every construct of the subset.
doc-ref: FORMAT section 1
seq:
  - id: all
    type: numbers
    doc: The first.
types:
  numbers:
    doc: Numbers of all widths.
    doc-ref: FORMAT section 1
    seq:
      - {id: a, type: u2be, doc: Big-endian.}
      - {id: a, type: s2, doc: Signed.}
      - {id: c, type: s4be, doc: Signed and big-endian.}
      - {id: d, type: s8, doc: Wide.}
      - {id: e, type: f4, doc: Float.}
      - {id: f, type: f8be, doc: Double.}
  bits:
    doc: Bit fields over two bytes.
    doc-ref: FORMAT section 1
    seq:
      - {id: flag, type: b1, doc: A flag.}
      - {id: wide, type: b12, doc: Across the bytes.}
      - {id: kind, type: b3, enum: kind, doc: A kind.}
      - {id: more, type: u1, if: flag and kind != kind::none, doc: Only when flagged.}
  calls:
    doc: Instances, parameters and streams.
    doc-ref: FORMAT section 1
    instances:
      first:
        pos: 0
        type: u1
        valid:
          max: 100
        doc: The first byte, seen early.
      double:
        value: 'first * 2'
        doc: Computed.
    seq:
      - id: items
        type:
          switch-on: first
          cases:
            1: bits
            2: limited(double + 1)
            _: tail
        doc: By the first byte.
  limited:
    doc: Bytes by a parameter.
    doc-ref: FORMAT section 1
    params:
      - {id: most, type: u2, doc: The most.}
    seq:
      - id: len_body
        type: u1
        valid: {min: 1, max: most}
        doc: Length of the body.
      - {id: body, size: len_body - 1, type: tail, doc: The body.}
      - {id: after, contents: [1, 2], doc: A mark.}
  tail:
    doc: All that is left.
    doc-ref: FORMAT section 1
    seq:
      - {id: text, type: str, size: 2, doc: Two bytes.}
      - {id: rest, size-eos: true, doc: The rest.}
  until:
    doc: Elements up to a zero.
    doc-ref: FORMAT section 1
    seq:
      - id: list
        type: u1
        repeat: until
        repeat-until: _ == 0 or _io.eof
        valid:
          expr: '_ < 100 ? true : _io.pos > 3'
        doc: The list.
      - {id: name, type: strz, size: 4, doc: A padded name.}
  sums:
    doc: Operators.
    doc-ref: FORMAT section 1
    seq:
      - {id: x, type: u1, valid: {min: 0, max: 255}, doc: Operand.}
      - {id: y, size: '((x << 2 | 1) ^ x & 3) % 7 / 2 + 1', doc: Some bytes.}
      - {id: z, type: u1, if: '-x + 1 < 0 or x == 0', doc: A byte for most x.}
      - {id: list, type: b8, doc: A whole byte of bits.}
      - {id: eights, type: s1, repeat: eos, valid: {any-of: [-8, 8]}, doc: Eights.}
enums:
  kind:
    0: none
    1: some
