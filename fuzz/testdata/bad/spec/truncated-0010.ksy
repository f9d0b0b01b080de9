meta:
  id