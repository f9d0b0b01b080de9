package promises

// others are the lines that judge the bytes and words of others: of receivers, servers,
// proxies and libraries, and what people put into files.
var others = []mutation{
	{
		"an answer of OTLP that is cut is no receipt", "mqttv5/ingest/otlp/send.go",
		"\tif err != nil {\n\t\treturn receipt{}, inTime(err) // perhaps", "\tif false {\n\t\treturn receipt{}, inTime(err) // perhaps",
		"TestAnswerThatIsCut", "",
	},
	{
		"an answer of OTLP is waited for so long and no longer", "mqttv5/ingest/otlp/send.go",
		"context.WithTimeout(ctx, e.cfg.Timeout)", "context.WithCancel(ctx)",
		"TestAnswerThatIsCut", "",
	},
	{
		"empty answers are taken, and pages are not", "mqttv5/ingest/otlp/send.go",
		"e.cfg.AcceptEmpty && len(answer) == 0", "e.cfg.AcceptEmpty",
		"TestAcceptEmptyTakesNoPage", "",
	},
	{
		"a redirection is no receipt", "mqttv5/ingest/otlp/send.go",
		"resp.StatusCode/100 != 2", "resp.StatusCode/100 > 3",
		"TestRedirectSendsNothingToAnotherHost", "",
	},
	{
		"a receiver rejects no fewer than none", "mqttv5/ingest/otlp/send.go",
		"min(max(r.rejected, 0), int64(of))", "min(r.rejected, int64(of))",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"a receiver rejects no more than all", "mqttv5/ingest/otlp/send.go",
		"min(max(r.rejected, 0), int64(of))", "max(r.rejected, 0)",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"a JSON answer of something else is no receipt", "mqttv5/ingest/otlp/receipt.go",
		"if _, fails := members[name]; fails {", "if _, fails := members[name]; fails && false {",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"a Status is no receipt", "mqttv5/ingest/otlp/receipt.go",
		"!ok || outer.number[1] != 0 {", "!ok {",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"a count that is none is no receipt", "mqttv5/ingest/otlp/receipt.go",
		"\t\tif err != nil {\n\t\t\treturn receipt{}, false\n\t\t}\n\t\tr.rejected", "\t\tif err != nil {\n\t\t\tn = 0\n\t\t}\n\t\tr.rejected",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"words of a receiver are printed harmlessly", "mqttv5/ingest/otlp/receipt.go",
		"return fault.Printable(string(m.data[2]))", "return string(m.data[2])",
		"TestRefusalIsExplained", "",
	},
	{
		"a refused record that a full disk cut is taken back", "mqttv5/ingest/otlp/split.go",
		"\t\t\tf.Truncate(end)\n", "",
		"TestF45RefusedRecords", "",
	},
	{
		"a refused record begins a line", "mqttv5/ingest/otlp/split.go",
		"last[0] != '\\n' {", "last[0] == 0 {",
		"TestRefusedRecordsBeginALine", "",
	},
	{
		"a position file has a bound", "mqttv5/ingest/otlp/position.go",
		" || info.Size() > maxPosition", "",
		"TestFileThatHoldsNoPositionIsRefused", "",
	},
	{
		"a position's lock is its owner's alone", "mqttv5/ingest/otlp/position.go",
		"flock.SetPermissions(0o600)", "flock.SetPermissions(0o644)",
		"TestPositionIsUsedByOne", "",
	},
	{
		"a file's header that is none is not shown", "mqttv5/ingest/otlp/headers.go",
		"of the form 'Name: value'\", file, n)", "of the form 'Name: value' %s\", file, n, line)",
		"TestHeadersThatAreNone", "",
	},
	{
		"an argument's header that is none is not shown", "mqttv5/ingest/otlp/headers.go",
		"errors.New(\"header is not of the form 'Name: value'\")", "errors.New(\"header is not of the form: \" + arg)",
		"TestHeadersThatAreNone", "",
	},
	{
		"headers that cannot be read to the end are none", "mqttv5/ingest/otlp/headers.go",
		"\t\tif err := lines.Err(); err != nil {", "\t\tif err := lines.Err(); err != nil && file == \"\" {",
		"TestHeadersThatAreNone", "",
	},
	{
		"a header cannot be made of two", "mqttv5/ingest/otlp/headers.go",
		" || !httpguts.ValidHeaderFieldValue(value)", "",
		"TestHeadersThatAreNone", "",
	},
	{
		"a record with too long headers goes into quarantine", "mqttv5/ingest/natssink/sink.go",
		" || api.ErrorCode == exceedsHeaders", "",
		"TestTooLargeIsNamed", "",
	},
	{
		"the words of a storage server are not waited for", "mqttv5/internal/presigned/put.go",
		"\tresp.Body.Close() // unread", "\tio.ReadAll(resp.Body) // unread",
		"TestPutWaitsForNoBody", "",
	},
	{
		"a storage server that takes nothing is given up", "mqttv5/internal/presigned/put.go",
		"func() { stop(errIdle) }", "func() {}",
		"TestPutGivesUpAServerThatTakesNothing", "",
	},
	{
		"a pipe in place of a credential is not waited for", "mqttv5/internal/link/credentials.go",
		"if fi, err := os.Stat(name); err == nil && !fi.Mode().IsRegular() {", "if fi, err := os.Stat(name); err == nil && fi.IsDir() {",
		"TestCredentialsAreNoPipe", "",
	},
	{
		"byte order marks of credentials are left out", "mqttv5/internal/link/credentials.go",
		"b = bytes.ReplaceAll(b, []byte(\"\\xef\\xbb\\xbf\"), nil)", "b = bytes.TrimPrefix(b, []byte(\"\\xef\\xbb\\xbf\"))",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"a damaged PEM block is named", "mqttv5/internal/link/credentials.go",
		"\tcase bytes.Contains(b, []byte(\"-----BEGIN \")):", "\tcase false:",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"a certificate of another form is named", "mqttv5/internal/link/credentials.go",
		" && (kind != certificate || p.Type == certificate)", "",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"an expired certificate is named", "mqttv5/internal/link/credentials.go",
		"case now.After(leaf.NotAfter):", "case false:",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"a proxy that outlasts the caller is named", "mqttv5/internal/link/keeper.go",
		"u != nil && k.cfg.Lent == nil", "u != nil && err == nil",
		"TestF49ProxyOutlastsTheCaller", "",
	},
	{
		"a proxy that hangs is said to", "mqttv5/internal/link/hangup.go",
		"\tcase isTimeout(err):\n", "\tcase err == nil:\n",
		"TestF49Proxy", "",
	},
	{
		"a value's characters can be seen", "cmd/ulogkit/internal/settings/config.go",
		"err == nil && i >= 0 {", "err == nil && i > len(text) {",
		"TestConfigIsReadOrRefusedAtItsPlace", "",
	},
	{
		"half a pair of quotes is refused", "cmd/ulogkit/internal/settings/config.go",
		"strings.ContainsRune(typographic+\"\\\"'\", last)", "last == 0",
		"TestConfigIsReadOrRefusedAtItsPlace", "",
	},
	{
		"a comment does not swallow the lines of an old Mac", "cmd/ulogkit/internal/settings/config.go",
		"'\\r'); i >= 0 {", "'\\r'); i > len(text) {",
		"TestConfigIsReadOrRefusedAtItsPlace", "",
	},
	{
		"a configuration file has a bound", "cmd/ulogkit/internal/settings/config.go",
		"if len(b) > maxConfig {", "if false {",
		"TestConfigHasABound", "",
	},
	{
		"half of the library's file is not written over", "mqttv5/tokens/vendor.go",
		"\t\tif old, ok = decodeForeign(before); !ok {\n", "\t\tif old, ok = decodeForeign(before); !ok && len(before) == 0 {\n",
		"TestLibraryFileThatIsHalfWritten", "",
	},
	{
		"the library's file is not written by readers", "mqttv5/tokens/vendor.go",
		"if !bytes.Equal(b, old.encode()) {", "if len(b) > 0 {",
		"TestLibraryFileIsNotWrittenByReaders", "",
	},
	{
		"the library's file is no link", "mqttv5/tokens/vendor.go",
		"!fi.Mode().IsRegular() || ", "",
		"TestLibraryFileIsARegularOne", "",
	},
	{
		"the library's file has a bound", "mqttv5/tokens/vendor.go",
		" || fi.Size() > maxContent", "",
		"TestLibraryFileIsARegularOne", "",
	},
	{
		"the library's file keeps its mode", "mqttv5/tokens/vendor.go",
		"durable.ReplaceFile(s.path, b, durable.KeepMode)", "durable.ReplaceFile(s.path, b, 0o600)",
		"TestLibraryFileKeepsItsFormatAndEntries", "",
	},
	{
		"a token file of a newer version is no damaged one", "mqttv5/tokens/content.go",
		"ours is %d\", errForeign, n", "ours is %d\", errDamaged, n",
		"TestFileNeverTouchesWhatIsNotOurs", "",
	},
	{
		"a token file with entries of others is left alone", "mqttv5/tokens/content.go",
		"name != \"version\" && name != \"sessions\" {", "name == \"\" {",
		"TestFileNeverTouchesWhatIsNotOurs", "",
	},
	{
		"a replaced file keeps its owner", "mqttv5/durable/durable.go",
		"\t\tkeepOwner(f, old)\n", "",
		"TestReplacedFileKeepsItsOwner", "",
	},
	{
		"a sweep removes files alone", "mqttv5/durable/durable.go",
		"if ours && e.Type().IsRegular() {", "if ours {",
		"TestSweepRemovesOnlyWhatOneOfOursLeft", "",
	},
	{
		"a sweep of one file spares another's", "mqttv5/durable/durable.go",
		"(prefix == \".\" || at == len(prefix)) && ", "",
		"TestSweepRemovesOnlyWhatOneOfOursLeft", "",
	},
	{
		"a file given up leaves nothing", "mqttv5/durable/durable.go",
		"\tf.Close()\n\tos.Remove(f.Name())\n", "\tf.Close()\n",
		"TestAbortLeavesNothing", "",
	},
	{
		"a spool's file is read so far and no further", "mqttv5/spool/take.go",
		"io.LimitReader(in, maxFile+1)", "in",
		"TestLongFileIsSetAside", "",
	},
	{
		"a spool's file that is too long is said to be", "mqttv5/spool/take.go",
		"\tif len(b) > maxFile {", "\tif false {",
		"TestLongFileIsSetAside", "",
	},
	{
		"a closing outbox makes no file bad", "mqttv5/spool/take.go",
		"case ctx.Err() != nil, errors.Is(err, fault.ErrClosed):", "case ctx.Err() != nil:",
		"TestFilesStayWhenTheOutboxCloses", "",
	},
	{
		"why a file is bad is its owner's alone", "mqttv5/spool/away.go",
		"\"\\n\"), 0o600)", "\"\\n\"), 0o644)",
		"TestFilesSetAsideAreTheOwnersAlone", "",
	},
	{
		"a spool's folder that has gone is told", "mqttv5/spool/spool.go",
		"\t\ts.tell(sub, err.Error())\n\t\treturn 1, nil, false", "\t\treturn 1, nil, false",
		"TestFolderThatHasGoneIsTold", "",
	},
	{
		"a recording that ended is told of", "cmd/ulogkit/tap.go",
		"if err != nil && w.tap.tell != nil", "if err == nil && w.tap.tell != nil",
		"TestTapOnFullDisk", "",
	},
	{
		"a pipe is no firmware, and holds nothing up", "format/internal/firmware/open_unix.go",
		"os.O_RDONLY|syscall.O_NONBLOCK", "os.O_RDONLY|syscall.O_APPEND*0",
		"TestPipesAmongDictionaries", "format/dict",
	},
	{
		"a pipe is not looked into", "format/dict/store.go",
		"err != nil || !info.Mode().IsRegular() {\n\t\t\treturn false // to open", "err != nil || info.IsDir() {\n\t\t\treturn false // to open",
		"TestPipesAmongDictionaries", "",
	},
	{
		"a proxy's certificate is verified", "mqttv5/internal/link/proxy.go",
		"&tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}", "&tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true}",
		"TestCertificateOfAProxyIsVerified", "",
	},
	{
		"a proxy's answer is 200 or a refusal", "mqttv5/internal/link/proxy.go",
		"case answer.StatusCode != http.StatusOK:", "case answer.StatusCode >= 400:",
		"TestF49Proxy", "",
	},
	{
		"a proxy's answer has a bound", "mqttv5/internal/link/proxy.go",
		"io.LimitReader(conn, maxProxyAnswer)", "io.LimitReader(conn, 1<<40)",
		"TestF49Proxy", "",
	},
	{
		"words of a proxy are printed harmlessly", "mqttv5/internal/link/proxy.go",
		"fault.Printable(answer.Status)", "answer.Status",
		"TestF49Proxy", "",
	},
	{
		"bytes behind a proxy's answer are not lost", "mqttv5/internal/link/proxy.go",
		"return &tunnelConn{Conn: conn, early: early}, \"\", nil", "return conn, \"\", nil",
		"TestBytesBehindTheAnswerOfAProxy", "",
	},
	{
		"the mode of a key is that of the file that is read", "mqttv5/internal/link/credentials.go",
		"\tfi, err := f.Stat()", "\tfi, err := os.Lstat(name)",
		"TestKeyBehindALink", "",
	},
	{
		"a credential file has a bound", "mqttv5/internal/link/credentials.go",
		"\tif len(b) > maxPEM {", "\tif false {",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"a key encrypted as once is named", "mqttv5/internal/link/credentials.go",
		" || strings.Contains(p.Headers[\"Proc-Type\"], \"ENCRYPTED\")", "",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"an output that streams looks again", "cmd/ulogkit/internal/files/output.go",
		"\tif err := o.mayReplace(target); err != nil {\n\t\treturn 0, err\n\t}\n\tf, err :=", "\tf, err :=",
		"TestFilesMadeAfterTheCheckAreKept", "",
	},
	{
		"an output that grows looks again", "cmd/ulogkit/internal/files/output.go",
		"\tif err := o.mayReplace(target); err != nil {\n\t\treturn nil, err\n\t}\n\tf, err :=", "\tf, err :=",
		"TestFilesMadeAfterTheCheckAreKept", "",
	},
	{
		"an output that fails half way leaves nothing", "cmd/ulogkit/internal/files/output.go",
		"\tdefer f.Abort()\n\n\tw :=", "\tw :=",
		"TestOutputThatFailsLeavesNothing", "",
	},
	{
		"a recording that fails to begin leaves nothing", "cmd/ulogkit/internal/files/output.go",
		"\t\tf.Abort()\n\t\treturn nil, o.failure(err)\n\t}\n\n\tif err := f.Appear()", "\t\treturn nil, o.failure(err)\n\t}\n\n\tif err := f.Appear()",
		"TestOutputThatFailsLeavesNothing", "",
	},
	{
		"an output that cannot be read is not replaced", "cmd/ulogkit/internal/files/output.go",
		"\tif err != nil {\n\t\treturn refused(\"cannot be read: \" + cause(err).Error())\n\t}\n\tif len(old)", "\tif err != nil {\n\t\treturn nil\n\t}\n\tif len(old)",
		"TestOutputThatCannotBeReadIsRefused", "",
	},
	{
		"the stand-in writes over nothing it received before", "mqttv5/localcloud/inbox.go",
		"\tb.number = lastNumber(dir)\n", "",
		"TestNumbersGoOn", "",
	},
	{
		"what the stand-in cannot write it has not received", "mqttv5/localcloud/inbox.go",
		"\t\tif err := writeFile(name, r.Payload); err != nil {\n\t\t\treturn err\n\t\t}\n", "\t\twriteFile(name, r.Payload)\n",
		"TestMessageThatCannotBeWritten", "",
	},
	{
		"certificates of others are not replaced", "mqttv5/localcloud/certs.go",
		"\tif err := f.mayReplace(); err != nil {\n\t\treturn err\n\t}\n", "",
		"TestCertificatesOfOthersStay", "",
	},
	{
		"the throwaway key is its owner's alone", "mqttv5/localcloud/certs.go",
		"{f.key, keyPEM, 0o600}", "{f.key, keyPEM, 0o644}",
		"TestClientNeedsItsCertificate", "",
	},
	{
		"a reason in a header has a bound", "mqttv5/ingest/natssink/message.go",
		"r.Reason[:min(len(r.Reason), maxReason)]", "r.Reason",
		"TestReasonHasABound", "",
	},
	{
		"a message for nobody counts in a gateway's health", "mqttv5/gateway/gateway.go",
		"\t\ts.nobody++\n", "",
		"TestHealthFollowsTheEvents", "",
	},
	{
		"a gateway that gets no connection is not healthy", "mqttv5/gateway/gateway.go",
		"h.Waiting == 0 && h.Trouble == \"\"", "h.Waiting == 0",
		"TestHealthFollowsTheEvents", "",
	},
	{
		"names of files are printed harmlessly", "cmd/ulogkit/printable.go",
		"return strings.NewReplacer(\"\\n\", \"?\", \"\\t\", \"?\").Replace(printable(name))", "return name",
		"TestNamesOfFilesArePrintable", "",
	},
	{
		"a stream that was made anew is another one", "mqttv5/ingest/natssink/source.go",
		"s.cfg.Stream + \" \" + info.Created.UTC().Format(time.RFC3339Nano)", "s.cfg.Stream",
		"TestStreamMadeAnewIsAnother", "",
	},
	{
		"an answer of the cloud has a bound", "mqttv5/internal/cloud/cloud.go",
		"\tif len(b) > maxLen {", "\tif false {",
		"TestAddressIsHTTPSAndOfThisUpload", "",
	},
	{
		"nothing follows an answer of the cloud", "mqttv5/internal/cloud/cloud.go",
		"\tif !atEnd(d) {", "\tif d.More() {",
		"FuzzBootReply", "",
	},
	{
		"an address is of the upload that asked", "mqttv5/internal/cloud/cloud.go",
		"string(value) != id && string(value) != strconv.Quote(id)", "id == \"\"",
		"TestAddressIsHTTPSAndOfThisUpload", "",
	},
}
