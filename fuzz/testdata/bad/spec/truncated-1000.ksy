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
      - {id: b, type: s2, doc: Signed.}
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
   