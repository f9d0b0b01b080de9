// Package gate holds a run of the benchmarks against what the project promises.
//
// Allocations and bytes per operation are exact: a row whose median differs from
// [Costs] is broken, for the better too, so that the table stays true. Time is
// advice: only a ratio between two rows of one run that falls below its
// [Promise] by more than [Tolerance], with its whole confidence interval, is
// broken. Such a ratio holds on any machine, nanoseconds on none but their own.
// A ratio of what takes several cores, the disk or the network holds only where
// those are free: where the machine was busy (see [results.Run.Busy]) it is advice.
package gate

import "strings"

// Promise is a lower bound on a ratio of speeds in one run.
type Promise struct {
	Bench string
	Of    string   // our implementation
	Peer  string   // the one beside it
	Cases []string // nil: the benchmark has no cases
	Ratio float64  // Of is at least so many times as fast as Peer
	Takes string   // what it needs beside one core, which others on the machine may hold; "" is nothing
	// Where a kind of processor serves the peer better than us, what holds there.
	Elsewhere []Machine
}

// Machine is a ratio that holds instead on processors whose name has a word in it.
type Machine struct {
	CPU   string
	Ratio float64
	Why   string
}

// on returns the promise as it holds on a processor.
func (p Promise) on(cpu string) Promise {
	for _, k := range p.Elsewhere {
		if strings.Contains(cpu, k.CPU) {
			p.Ratio = k.Ratio
		}
	}
	return p
}

// Promises are what README.md and the package docs claim about speed.
var Promises = []Promise{
	{"Checksum", "format", "copy", []string{"size=65535"}, 0.95, "", []Machine{{"Intel", 0.6, "copy moves 64 bytes by an instruction, where Go without assembly has 8; IndexByte in assembly reaches 0.75"}}},
	{"Checksum", "format", "naive", []string{"size=1024", "size=16384", "size=65535"}, 12, "", nil},
	{"Header", "format", "binary.Read", nil, 40, "", nil},
	{"Walk", "format", "gopacket", []string{"size=65535"}, 2.5, "", []Machine{{"Intel", 1.8, "two runs gave 2.1 and 1.95, and the code before the rooms were made gives the same"}}},
	// Ranging over an iterator costs at most 15 % more than the loop.
	{"Walk", "format-iter", "format", []string{"size=65535"}, 1 / 1.15, "", nil},
	{"Load", "dict", "debug-elf", []string{"size=2500000"}, 0.3, "", nil},
	{"Render", "format", "fmt", []string{"from=payload"}, 2, "", nil},
	{"Render", "format", "fmt", []string{"from=file/to=lines"}, 3, "", nil},
	{"Parallel", "format", "format-one", []string{"to=lines"}, 1.6, "cores", nil},
	{"MQTT", "wire", "mochi", []string{"size=64"}, 1.2, "", nil},
	{"MQTT", "wire", "paho", []string{"size=64"}, 30, "", nil},
	{"CaptureFile", "wire", "tshark", []string{"file=logs", "file=small"}, 8, "cores, disk", nil},
	// Many small messages on a plain connection, and blobs over mutual TLS.
	{"Publish", "mqttv5", "raw", []string{"size=1024"}, 0.9, "cores, network", nil},
	{"Publish", "mqttv5", "raw", []string{"size=65536"}, 0.8, "cores, network", []Machine{{"Intel", 0.65, "encryption is twice as fast, and a quarter of our time is the SHA-256 that names a message, which the loop does not make"}}},
	// Callers share commits: many are served like so many disks. Records a second
	// are the disk's; by this ratio there are 5,000 wherever 32 callers reach 10,000
	// fsyncs.
	{"Outbox", "mqttv5", "fsync", []string{"callers=32"}, 0.5, "cores, disk", nil},
	// The vendor's library, in Python, where it is installed. It waits a second for its
	// subscription in each upload with a connection of its own; over one that is lent to
	// it, there is no promise.
	{"Validate", "format", "python", []string{"size=16384"}, 1000, "", []Machine{{"Intel", 600, "two runs gave 850 and 700: as with copy above, ours only reads"}}},
	{"Upload", "mqttv5", "python", []string{"logs=1"}, 20, "", nil},
	// A worker with a sink in memory beside a client that only acknowledges.
	{"Ingest", "ingest-memory", "paho", []string{"size=1024"}, 0.8, "cores, network", nil},
}

// Tolerance is how far below its promise a ratio may fall before it is broken:
// machines differ, and a shared one differs from itself.
const Tolerance = 0.20

// Cost is what one operation of our rows allocates.
type Cost struct {
	Bench, Impl string
	Case        string // "*": every case
	Allocs      float64
	Bytes       float64
	Near        string // why both are held to Nearness only, "" when they are exact
	Free        string // why they are not held at all, and the row may be missing
}

// Nearness is how far a cost that cannot be exact may be off.
const Nearness = 0.03

// Costs has every row of ours. One that is missing here is broken, so that a
// new benchmark cannot go without.
var Costs = []Cost{
	{Bench: "Checksum", Impl: "format", Case: "*"},
	{Bench: "Header", Impl: "format", Case: "*"},
	{Bench: "Walk", Impl: "format", Case: "*"},
	{Bench: "Walk", Impl: "format-iter", Case: "*"},
	{Bench: "Render", Impl: "format", Case: "from=payload"},
	{Bench: "Load", Impl: "dict", Case: "*", Allocs: 57, Bytes: 3138504, Near: "the runtime allocates beside it now and then"},
	// Of a file of 8 MiB. The clock keeps what each log says of the time, one record
	// each, and the first MiB is looked at for rows of JSON before it is read: 110
	// allocations and 2.1 MB that the file did not cost before there were either.
	{Bench: "Render", Impl: "format", Case: "from=file/to=lines", Allocs: 233, Bytes: 4097040, Near: nearPools},
	{Bench: "Render", Impl: "format", Case: "from=file/to=json", Allocs: 317, Bytes: 11587344, Near: nearPools},
	{Bench: "Parallel", Impl: "format", Case: "*", Free: freeWorkers},
	{Bench: "Parallel", Impl: "format-one", Case: "*", Free: freeWorkers},
	{Bench: "MQTT", Impl: "wire", Case: "*"},
	{Bench: "MQTT", Impl: "wire-parser", Case: "*"},
	{Bench: "Capture", Impl: "wire", Case: "*", Allocs: 64, Bytes: 315240, Near: "maps grow by chance"},
	{Bench: "CaptureFile", Impl: "wire", Case: "*", Free: "it writes out what it reads, as tshark does"},
	{Bench: "Publish", Impl: "mqttv5", Case: "*", Free: "they depend on how packets meet"},
	{Bench: "Outbox", Impl: "mqttv5", Case: "*", Free: "they depend on how callers meet in a commit"},
	{Bench: "Validate", Impl: "format", Case: "*", Free: freePython},
	{Bench: "Upload", Impl: "mqttv5", Case: "*", Free: freePython},
	{Bench: "Ingest", Impl: "ingest-memory", Case: "*", Free: freeBroker},
	{Bench: "Ingest", Impl: "ingest-file", Case: "*", Free: freeBroker},
	{Bench: "Tap", Impl: "wire", Case: "*", Allocs: 23, Bytes: 2476, Near: "a buffer grows now and then"},
}

const (
	nearPools   = "buffers come from pools, which the garbage collector empties"
	freeWorkers = "they depend on how goroutines take turns"
	freePython  = "the row stands beside the vendor's library, where that is installed"
	freeBroker  = "they depend on how packets meet, and the row on a broker that can be started"
)

// costOf returns the first entry that fits.
func costOf(costs []Cost, bench, impl, where string) (Cost, bool) {
	for _, c := range costs {
		if c.Bench == bench && c.Impl == impl && (c.Case == "*" || c.Case == where || strings.HasPrefix(where, c.Case+"/")) {
			return c, true
		}
	}
	return Cost{}, false
}
