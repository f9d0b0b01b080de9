meta:
  id: "bad
