//go:build race

package text

// raced says that the race detector is at work, under which everything takes some ten
// times as long: what depends on the size of a file, and not on who runs when, is tried
// with a smaller one then. Without it, as on a machine without a C compiler, all is whole.
const raced = true
