// Package choose decides which build of a firmware a log is of: logs do not say it,
// their records do. It is the one rule for all that decode logs.
//
// Each record speaks for or against a build: a string of the build begins at the
// record's address and takes its arguments, or the address lies inside of a string,
// or no string that fits is there. A log is of the build against which its records
// say least; of several, of that of the log before, since a device runs a build
// until it is updated. A log, or the beginning of a file, that too much speaks
// against is of none, and the error holds the evidence.
//
// Builds.Choose judges one log alone. A Judge judges a file as it is read: while
// several builds fit equally well and differ in what was logged, logs wait for one
// that decides.
//
// Which arguments a format takes is not decided here but by Config.Parse; package
// text gives its own with text.Builds.
package choose
