package telemetry_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// Whoever stores what devices publish reads it with the checks of the cloud.
func ExampleParse() {
	report, err := telemetry.Parse(telemetry.KindMetrics, []byte(`{"device_serial":"SN-1","application_id":42,"metrics":[{"name":"battery_mv","value":3702}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range report.Metrics[0].Samples {
		fmt.Println(report.Devices()[0], m.Name, m.Value)
	}
	// Output: SN-1 battery_mv 3702
}
