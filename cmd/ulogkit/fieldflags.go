package main

import "regexp"

// fieldFlags are the flags that set the fields of configurations, which errors name as
// "field Tuning.ClientID".
var fieldFlags = map[string]string{
	"Broker":            "--broker",
	"Port":              "--broker",
	"CertFile":          "--cert",
	"KeyFile":           "--key",
	"CustomerID":        "--customer",
	"GroupID":           "--group",
	"TopicPrefix":       "--prefix",
	"TokenTimeout":      "--timeout",
	"InsecurePlaintext": "--insecure-plaintext",
	"Tuning.ClientID":   "--client-id",
	"Tuning.KeepAlive":  "--keep-alive",
	"Tuning.AckTimeout": "--timeout",
	"Tuning.Proxy":      "--proxy",
	"Group":             "--group",
	"Name":              "--name",
	"ReceiveMaximum":    "--receive-maximum",
	"URL":               "--otlp",
}

var field = regexp.MustCompile(`\bfield ([A-Z]\w*(?:\.[A-Z]\w*)?)`)

// asFlags says of errors what the command line calls it.
func asFlags(s string) string {
	return field.ReplaceAllStringFunc(s, func(found string) string {
		if flag, ok := fieldFlags[found[len("field "):]]; ok {
			return flag
		}
		return found
	})
}
