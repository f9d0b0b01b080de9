// Package fuzz holds the rest of the repository to its promises on any bytes: a
// slow reference interpreter of the spec, and fuzz targets, property tests and
// corpora that compare with it. It exports nothing; all of it is tests.
//
// "make fuzz" runs every target for a count. Files under testdata/seeds are
// good samples, by type of the spec; those under testdata/bad are bad ones, by
// type and named by class, each with its exact verdict in verdicts.txt. After a
// change that is meant to alter them, write both anew with
//
//	go test ./fuzz -run 'TestSeeds|TestBadInput' -update
//
// and read the difference.
package fuzz
