meta:
  id: bad
  title: uLogger binary logs and crash dumps
  license: MIT
  ks-version: '0.11'
  e