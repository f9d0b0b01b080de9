meta:
  <<: {id: bad}
