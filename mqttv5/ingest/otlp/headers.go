package otlp

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// environmentHeaders is the variable in which OpenTelemetry's exporters look for
// headers: name=value with commas between, values with percent escapes.
const environmentHeaders = "OTEL_EXPORTER_OTLP_HEADERS"

// Headers gathers the headers for Config.Headers from the environment, from a file
// with a "Name: value" a line ("" for none; empty lines and lines that begin with #
// do not count), and from arguments of the same form. What comes later counts more.
// No error shows a value.
func Headers(getenv func(string) string, file string, args []string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(getenv(environmentHeaders), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		if !addHeader(all, name, value, ok) {
			return nil, fmt.Errorf("%s is not of the form name=value,name=value", environmentHeaders)
		}
	}

	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("headers: %w", err)
		}
		defer f.Close()

		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			line := lines.Text()
			if n == 1 {
				line = strings.TrimPrefix(line, "\ufeff") // the byte order mark of Windows editors
			}
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			if name, value, ok := strings.Cut(line, ":"); !addHeader(all, name, value, ok) {
				return nil, fmt.Errorf("headers: %s:%d is not of the form 'Name: value'", file, n)
			}
		}

		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("headers: %s: %w", file, err)
		}
	}

	for _, arg := range args {
		if name, value, ok := strings.Cut(arg, ":"); !addHeader(all, name, value, ok) {
			return nil, errors.New("header is not of the form 'Name: value'")
		}
	}
	return all, nil
}

// addHeader adds a header, and reports whether it is one.
func addHeader(all map[string]string, name, value string, ok bool) bool {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		return false
	}
	all[http.CanonicalHeaderKey(name)] = value
	return true
}
