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
 