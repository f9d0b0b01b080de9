package topic_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/format/topic"
)

func ExampleParse() {
	t, ok := topic.Parse("ulogger/binlog/v0/42/0/7")
	fmt.Println(ok, t.Kind, "customer", t.Customer, "group", t.Group, "application", t.Application)
	_, ok = topic.Parse("core-dump/v0/42/0/7") // a crash dump has no application
	fmt.Println(ok)
	// Output:
	// true log customer 42 group 0 application 7
	// false
}

func ExampleTopic_Name() {
	reply := topic.Topic[string]{Kind: topic.BootReply, Customer: "42", Application: "7", Serial: "SN-1"}
	fmt.Println(reply.Name())
	reply.Serial = "#"
	fmt.Println(reply.Name())
	// Output:
	// boot/v0/42/7/SN-1 <nil>
	//  serial of topic: character '#' at byte 0 is not allowed in a topic segment
}

func ExampleTopic_Filter() {
	logs := topic.Topic[string]{Kind: topic.Log, Customer: "42", Group: topic.Any, Application: topic.Any}
	filter, _ := logs.Filter()
	fmt.Println(topic.Shared("ingest", filter))
	// Output: $share/ingest/binlog/v0/42/+/+ <nil>
}
