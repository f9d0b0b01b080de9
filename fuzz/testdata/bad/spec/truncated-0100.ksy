meta:
  id: bad
  endian: le
  bit-endian: be
  encoding: UTF-8
doc: Every construct of the subset.
