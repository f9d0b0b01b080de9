package promises

// earlier are lines that no test once held.
var earlier = []mutation{
	{
		"the certificate of the storage server is verified", "mqttv5/internal/presigned/put.go",
		"&tls.Config{MinVersion: tls.VersionTLS12}", "&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}",
		"TestF27StorageServerIsVerified", "mqttv5",
	},
	{
		"no serial number of a device leaves the stand-in's folder", "mqttv5/localcloud/inbox.go",
		`strings.ReplaceAll(url.QueryEscape(r.DeviceSerial), ".", "%2E")`, `url.QueryEscape("")+r.DeviceSerial`,
		"TestReceivedFilesStayInTheirFolder", "",
	},
	{
		"the sink's folder is synced for a new segment", "mqttv5/ingest/filesink/sink.go",
		"\tif err == nil {\n\t\terr = durable.SyncDir(s.cfg.Dir)\n\t}\n", "",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"the position file is durable", "mqttv5/ingest/otlp/position.go",
		`durable.ReplaceFile(name, append(b, '\n'), 0o600)`, `os.WriteFile(name, append(b, '\n'), 0o600)`,
		"TestPositionIsDurable", "",
	},
	{
		"a written output is durable", "cmd/ulogkit/internal/files/files.go",
		"durable.ReplaceFile(target, b, durable.KeepMode)", "os.WriteFile(target, b, 0o666|durable.KeepMode)",
		"TestOutputsAreDurable/write", "",
	},
	{
		"a streamed output is durable", "cmd/ulogkit/internal/files/output.go",
		"return w.n, o.failure(f.Commit())", "return w.n, os.Rename(f.Name(), target)",
		"TestOutputsAreDurable/stream", "",
	},
	{
		"a patched file is durable", "cmd/ulogkit/internal/files/files.go",
		"\t\terr = f.Sync()\n", "",
		"TestOutputsAreDurable/patch", "",
	},
	{
		"a salvaged outbox is durable in its folder", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"return n, durable.Rename(temp, name)", "return n, os.Rename(temp, name)",
		"TestSalvageIsDurable", "mqttv5/outbox",
	},
	{
		"the outbox's file is its owner's alone", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"bolt.Open(f.name, 0o600,", "bolt.Open(f.name, 0o644,",
		"TestFilesAreTheOwnersAlone", "mqttv5/outbox",
	},
	{
		"segments are their owner's alone", "mqttv5/ingest/filesink/segment.go",
		"flag|noFollow, 0o600)", "flag|noFollow, 0o644)",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"a stream that is kept in memory is refused", "mqttv5/ingest/natssink/sink.go",
		"if got.Storage != jetstream.FileStorage {", "if false {",
		"TestStreamInMemoryIsRefused", "",
	},
	{
		"an error does not show the token of a malformed boot reply", "mqttv5/internal/cloud/cloud.go",
		`errors.New("the token is not a number between 1 and 4294967295")`, `errors.New("the token is " + string(value))`,
		"TestTokenIsNotShown", "",
	},
	{
		"Maximum Packet Size is to the byte, above", "mqttv5/internal/link/message.go",
		"maxPacket > 0 && n > int(maxPacket)", "maxPacket > 0 && n > int(maxPacket)+1",
		"TestPacketSizeIsToTheByte", "",
	},
	{
		"Maximum Packet Size is to the byte, below", "mqttv5/internal/link/message.go",
		"maxPacket > 0 && n > int(maxPacket)", "maxPacket > 0 && n >= int(maxPacket)",
		"TestPacketSizeIsToTheByte", "",
	},
	{
		"no damaged bytes pass for a record of nine arguments", "format/resync.go",
		"head.NumArgs() > maxArgs ||", "head.NumArgs() > maxArgs+1 ||",
		"TestNineArgumentsAreNoFrame", "",
	},
	{
		"no damaged bytes pass for a record of nine strings", "format/resync.go",
		"section.Header.NumStrings() > maxArgs {", "section.Header.NumStrings() > maxArgs+1 {",
		"TestNineArgumentsAreNoFrame", "",
	},
	{
		"a position is written after its batch was taken", "mqttv5/ingest/otlp/exporter.go",
		"\tif err := e.send(ctx); err != nil {\n\t\treturn err\n\t}\n\tif e.batch.next <= e.stats.Position {\n\t\treturn nil\n\t}\n\te.place.Next, e.place.Last = e.batch.next, e.batch.last\n\tif err := e.place.store(e.cfg.PositionFile); err != nil {\n\t\treturn fmt.Errorf(\"export: %w\", err)\n\t}\n",
		"\te.place.Next, e.place.Last = e.batch.next, e.batch.last\n\tif err := e.place.store(e.cfg.PositionFile); err != nil {\n\t\treturn fmt.Errorf(\"export: %w\", err)\n\t}\n\tif err := e.send(ctx); err != nil {\n\t\treturn err\n\t}\n\tif e.batch.next <= e.stats.Position {\n\t\treturn nil\n\t}\n",
		"TestPositionFollowsTheLastBatch", "",
	},
	{
		"a token file is its owner's alone", "mqttv5/tokens/file.go",
		"durable.ReplaceFile(s.path, encode(&s.list), 0o600)", "durable.ReplaceFile(s.path, encode(&s.list), 0o644)",
		"TestFileIsTheOwnersAlone", "",
	},
	{
		"a record that the cloud wants later is never parked", "mqttv5/refusal.go",
		"ReasonQuotaExceeded: {hint:", "ReasonQuotaExceeded: {park: 10, hint:",
		"TestPassingRefusalsNeverPark", "",
	},
	{
		"no redirection of the storage server is followed", "mqttv5/internal/presigned/put.go",
		"over.RoundTrip(req)", "(&http.Client{Transport: over}).Do(req)",
		"TestF27RedirectionsAreNotFollowed", "mqttv5",
	},
	{
		"a redirection of the storage server is no success", "mqttv5/internal/presigned/put.go",
		"case n >= 200 && n < 300:", "case n >= 200 && n < 400:",
		"TestPutSaysWhetherAnotherAddressMayHelp", "",
	},
	{
		"a damaged newest segment is not cut", "mqttv5/ingest/filesink/sink.go",
		"\tif found.damaged {\n", "\tif false {\n",
		"TestLossIsNeverForgotten", "",
	},
	{
		"the outbox's state is checked", "mqttv5/outbox/file.go",
		"|| le.Uint32(b) != crc32.Checksum(b[4:], castagnoli)", "",
		"TestDamagedStateIsNotBelieved", "",
	},
	{
		"a good record under a wrong key is not taken", "mqttv5/outbox/record.go",
		"(len(k) != 8 || r.seq != binary.BigEndian.Uint64(k))", "len(k) != 8",
		"TestRecordUnderAWrongKeyIsSetAside", "",
	},
	{
		"granted QoS 2 is refused", "mqttv5/internal/link/subscribe.go",
		"case c > 1:", "case c > 2:",
		"TestSubackIsReadAsAWhole", "",
	},
	{
		"granted QoS 0 is refused where a session is kept", "mqttv5/internal/link/subscribe.go",
		"case c == 0 && l.inbox != nil:", "case false:",
		"TestSubackIsReadAsAWhole", "",
	},
	{
		"a fresh token is not dropped for a refusal of the one before", "mqttv5/deliver.go",
		"if err != nil || !ok || token != refused {", "if _ = token; err != nil || !ok {",
		"TestFreshTokenIsKept", "",
	},
	{
		"a lasting refusal does not register for ever", "mqttv5/deliver.go",
		"case r.renew && s.token != 0 && !t.Renewed:", "case r.renew && s.token != 0:",
		"TestLastingRefusalRegistersOnce", "",
	},
	{
		"a key of mode 0640 is root's", "mqttv5/internal/link/mode_unix.go",
		"ok && st.Uid == 0 && mode", "ok && st.Uid >= 0 && mode",
		"TestKeyThatItsGroupMayReadNeedsRoot", "",
	},
	{
		"the sink's folder is its owner's alone", "mqttv5/ingest/filesink/sink.go",
		"durable.MakeDir(cfg.Dir, 0o700)", "durable.MakeDir(cfg.Dir, 0o755)",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"Retry-After in seconds has a bound", "mqttv5/ingest/otlp/receipt.go",
		"min(time.Duration(min(n, uint64(maxRetryAfter/time.Second)))*time.Second, maxRetryAfter)", "time.Duration(n) * time.Second",
		"TestRetryAfterIsBounded", "",
	},
	{
		"Retry-After as a date has a bound", "mqttv5/ingest/otlp/receipt.go",
		"min(max(at.Sub(now), 0), maxRetryAfter)", "max(at.Sub(now), 0)",
		"TestRetryAfterIsBounded", "",
	},
	{
		"Retry-After in the past is no wait", "mqttv5/ingest/otlp/receipt.go",
		"min(max(at.Sub(now), 0), maxRetryAfter)", "min(at.Sub(now), maxRetryAfter)",
		"TestRetryAfterIsBounded", "",
	},
	{
		"an answer of OTLP has a bound", "mqttv5/ingest/otlp/send.go",
		"io.ReadAll(io.LimitReader(resp.Body, maxAnswer))", "io.ReadAll(resp.Body)",
		"TestAnswerHasABound", "",
	},
	{
		"what is set aside is durable in its folder", "mqttv5/durable/durable.go",
		"\treturn SyncDir(filepath.Dir(to))\n", "\treturn nil\n",
		"TestEachStepIsSyncedInOrder/set-aside", "",
	},
}
