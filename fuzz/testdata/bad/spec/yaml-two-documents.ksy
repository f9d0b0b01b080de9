meta:
  id: bad
---
meta:
  id: bad
