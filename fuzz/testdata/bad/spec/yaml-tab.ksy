meta:
	id: bad
