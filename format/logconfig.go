package format

// ParseLogConfigMessage reads a log configuration as the cloud sends it: the nine
// bytes that a device reads, and behind them, to the end of the message, the names of
// the modules as JSON, which a device does not read. names aliases b and is not
// looked at: it is empty when there are none, and need not be JSON.
//
// A level above LevelCritical means LevelInfo, as the vendor's library takes it; v is
// a copy, so that b keeps what was sent.
//
// Source: FORMAT section 4, LIBRARY section 5.
func ParseLogConfigMessage(b []byte) (v LogConfig, names []byte, err error) {
	if len(b) < LogConfigSize {
		return LogConfig{}, nil, errLogConfigShort
	}
	v = LogConfig(b[:LogConfigSize])
	if v.Level() > LevelCritical {
		v.SetLevel(LevelInfo)
	}
	return v, b[LogConfigSize:], nil
}
