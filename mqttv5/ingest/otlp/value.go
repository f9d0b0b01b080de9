package otlp

import (
	"strconv"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/ulogkit/ulogkit/format"
)

func str(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func double(x float64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: x}}
}

func whole(x int64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: x}}
}

func textAttr(key, s string) *common.KeyValue { return &common.KeyValue{Key: key, Value: str(s)} }

func intAttr(key string, x int64) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: whole(x)}
}

// severity returns the number for a level. The five levels are the lowest of
// OpenTelemetry's ranges; metrics that could not be read are of the lowest.
func severity(l format.Level) logs.SeverityNumber {
	switch l {
	case format.LevelDebug:
		return logs.SeverityNumber_SEVERITY_NUMBER_DEBUG
	case format.LevelInfo:
		return logs.SeverityNumber_SEVERITY_NUMBER_INFO
	case format.LevelWarning:
		return logs.SeverityNumber_SEVERITY_NUMBER_WARN
	case format.LevelError:
		return logs.SeverityNumber_SEVERITY_NUMBER_ERROR
	case format.LevelCritical:
		return logs.SeverityNumber_SEVERITY_NUMBER_FATAL
	case format.LevelMetric:
		return logs.SeverityNumber_SEVERITY_NUMBER_TRACE
	}
	return logs.SeverityNumber_SEVERITY_NUMBER_UNSPECIFIED
}

// arguments returns the recorded arguments. An unsigned value beyond an int64,
// which OTLP has no type for, is a string of digits; a string that the device
// dropped has no value.
func arguments(p format.Payload) *common.AnyValue {
	list := &common.ArrayValue{}
	args := p.Args()
	for args.Next() {
		var v *common.AnyValue
		switch a := args.Arg(); a.Type() {
		case format.ArgTypeI32, format.ArgTypeI64:
			v = whole(a.Int())
		case format.ArgTypeDouble:
			v = double(a.Float())
		case format.ArgTypeString:
			v = &common.AnyValue{}
			if a.Stored() {
				v = str(valid(a.Text()))
			}
		default:
			if u := a.Uint(); u > 1<<63-1 {
				v = str(strconv.FormatUint(u, 10))
			} else {
				v = whole(int64(u))
			}
		}

		list.Values = append(list.Values, v)
	}
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: list}}
}

// metricOf reads a metric frame: by its text "metric_NAME=VALUE", or, where that is
// not known, by its arguments, a name and a number.
func metricOf(p format.Payload, body string) (name string, _ *metrics.NumberDataPoint, ok bool) {
	if rest, found := strings.CutPrefix(body, "metric_"); found {
		if i := strings.LastIndexByte(rest, '='); i > 0 {
			if v, ok := number(rest[i+1:]); ok {
				return "ulogger." + rest[:i], v, true
			}
		}
	}

	if body != "" || p.NumArgs() != 2 {
		return "", nil, false
	}
	args := p.Args()
	args.Next()
	first := args.Arg()
	args.Next()
	second := args.Arg()
	if first.Type() != format.ArgTypeString || len(first.Text()) == 0 {
		return "", nil, false
	}

	name = "ulogger." + valid(first.Text())
	switch second.Type() {
	case format.ArgTypeDouble:
		return name, &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsDouble{AsDouble: second.Float()}}, true
	case format.ArgTypeI32, format.ArgTypeI64:
		return name, &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsInt{AsInt: second.Int()}}, true
	case format.ArgTypeU32:
		return name, &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsInt{AsInt: int64(second.Uint())}}, true
	}
	return "", nil, false
}

func number(s string) (*metrics.NumberDataPoint, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsInt{AsInt: n}}, true
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsDouble{AsDouble: x}}, true
	}
	return nil, false
}
