meta: &m
  id: bad
