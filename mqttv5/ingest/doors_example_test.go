package ingest_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

func ExampleParseTextLog() {
	message := `{"sequence":1,"device_type":"lamp","version":"v1.0.0","git":"3f2c9a1","serial":"SN-1"}` + "\n" + `{"t":1700000000,"lv":3,"m":"low battery"}` + "\n"
	log, err := ingest.ParseTextLog([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(log.Serial, len(log.Lines), log.Lines[0].Text)
	// Output: SN-1 1 low battery
}

func ExampleParseKind() {
	kind, err := ingest.ParseKind("metrics")
	fmt.Println(kind, err)
	_, err = ingest.ParseKind("photos")
	fmt.Println(err)
	// Output:
	// metrics <nil>
	// "photos" is no kind of uploads; they are [log core-dump text-log metrics events]
}
