package topic

import (
	"errors"
	"fmt"
	"strings"
)

// Explain says what is wrong with a name that Parse refuses, as far as it can be
// told: another version, the word in capitals, the wrong number of segments. It
// returns nil for a name that Parse takes.
func Explain(name string) error {
	if _, ok := Parse(name); ok {
		return nil
	}

	word, rest, _ := strings.Cut(name, "/")
	v, _, _ := strings.Cut(rest, "/")
	switch kind := wordKind(word); {
	case kind != Unknown && v != version:
		return fmt.Errorf("the version is %q and not %q", v, version)
	case kind != Unknown:
		return fmt.Errorf("it has not the segments of a topic that begins with %s/%s", word, version)
	case wordKind(strings.ToLower(word)) != Unknown:
		return fmt.Errorf("%q is written %q", word, strings.ToLower(word))
	}
	return errors.New("it is no topic of the cloud")
}
