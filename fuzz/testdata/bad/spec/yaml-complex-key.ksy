? [a, b]
: c
