package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/format"
)

// levelNames are what people write for levels, besides their names.
var levelNames = map[string]format.Level{
	"dbg": format.LevelDebug, "d": format.LevelDebug, "verbose": format.LevelDebug, "trace": format.LevelDebug, "v": format.LevelDebug,
	"inf": format.LevelInfo, "i": format.LevelInfo, "information": format.LevelInfo, "notice": format.LevelInfo,
	"warn": format.LevelWarning, "wrn": format.LevelWarning, "w": format.LevelWarning,
	"err": format.LevelError, "e": format.LevelError,
	"crit": format.LevelCritical, "c": format.LevelCritical, "fatal": format.LevelCritical, "f": format.LevelCritical,
	"metrics": format.LevelMetric,
}

// parseLevel returns the level that a flag of the name gives by its name, its number or
// what else people write for it.
func parseLevel(flag, s string) (format.Level, error) {
	lower := strings.ToLower(s)
	if level, known := levelNames[lower]; known {
		return level, nil
	}
	for level := format.LevelDebug; level <= format.LevelMetric; level++ {
		if lower == level.String() || s == strconv.Itoa(int(level)) {
			return level, nil
		}
	}
	return 0, fmt.Errorf("--%s %q: not debug, info, warning, error, critical or metric", flag, s)
}
