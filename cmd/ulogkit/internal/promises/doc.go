// Package promises lists the lines that keep what this repository promises of other
// people's data: each sync, order, check and mode, with the test that fails without
// it. Its tests hold the list against the code. Nothing imports it.
package promises
