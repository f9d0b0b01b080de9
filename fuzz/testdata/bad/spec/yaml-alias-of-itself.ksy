meta: &m
  id: *m
