meta:
  id: bad
  endian: le
  bit-endian: be
  encoding: UT