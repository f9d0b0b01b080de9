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
      - {i