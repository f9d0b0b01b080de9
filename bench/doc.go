// Package bench measures the claims of this project. Each benchmark runs beside
// its peers in one process, so that the ratio between them holds on any machine,
// and checks its result before it counts.
//
// The sub-names follow benchfmt: BenchmarkChecksum/impl=format/size=65535. A
// benchmark's body is also the body of a test, which holds what is exact: no
// allocations, on good input and on bad.
package bench
