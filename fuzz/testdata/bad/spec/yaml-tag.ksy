meta: !!map
  id: !!str bad
