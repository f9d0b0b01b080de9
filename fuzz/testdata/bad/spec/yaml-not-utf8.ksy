meta:
  id: ÿş
