// Package bench measures the claims of this project. Each benchmark runs beside
// its peers in one process, so that the ratio between them holds on any machine,
// and checks its result before it counts.
//
// The sub-names follow benchfmt: BenchmarkChecksum/impl=format/size=65535. A
// benchmark's body is also the body of a test, which holds what is exact: no
// allocations, on good input and on bad.
//
// Run them all with "make bench-quick" or "make bench", which is bench/record,
// and look at the results with bench/dashboard. bench/internal/gate has what is
// promised. README.md says how the figures are taken and what they do not show.
package bench
