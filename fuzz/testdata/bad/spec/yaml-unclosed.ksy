meta: {id: bad
