// Package oracle holds ours against the vendor's own library, ulogger-cloud, by
// what both do with the same input. It has tests only.
//
// The library is installed by .ci/python/install, in the newest version and in the
// one that the first gateways ran, and runs in a process of its own that answers a
// request a line (testdata/driver.py). Where ours means to differ, the table of
// differences says so and why; any other difference fails, and so does a row of the
// table that has become untrue. Without the installation the tests are left out,
// except in CI.
package oracle
