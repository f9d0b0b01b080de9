package promises

// checks are the lines that refuse, bound or count.
var checks = []mutation{
	{
		"an output that is an input is refused", "cmd/ulogkit/internal/files/input.go",
		"|| sameRegular(one, other)", "|| a == b && one.Mode().IsRegular()",
		"TestCheckLeavesTheFolderAlone", "",
	},
	{
		"an output that will be an input is refused", "cmd/ulogkit/internal/files/input.go",
		"return err != nil && errOther != nil && place(a) == place(b)", "return false",
		"TestApart", "",
	},
	{
		"an output in a folder that is used is refused", "cmd/ulogkit/internal/files/input.go",
		"\t\tif same(at, in.Name) {\n", "\t\tif same(filepath.Dir(place(name)), in.Name) {\n",
		"TestApart", "",
	},
	{
		"standard input is not replaced", "cmd/ulogkit/internal/files/input.go",
		"sameRegular(stdin, out)", "sameRegular(stdin, out) && out == nil",
		"TestApartFromStandardInput", "",
	},
	{
		"an extraction replaces no input", "cmd/ulogkit/internal/files/output.go",
		"(&Output{Name: name}).Apart(inputs...); err != nil", "error(nil); err != nil",
		"TestExtractReplacesNoInput", "",
	},
	{
		"files of tokens at the default places are inputs", "mqttv5/tokens/file.go",
		"if beside := libraryPath(); path == \"\" && beside != \"\" {\n\t\tnames = append(names, beside)\n\t}\n", "",
		"TestFilesAreAllThatAreUsed", "cmd/ulogkit/internal/settings",
	},
	{
		"a file that a command did not write is not replaced", "cmd/ulogkit/internal/files/output.go",
		"\tif len(old) == 0 || o.Mine != nil && o.Mine(old) {\n\t\treturn nil\n\t}\n\treturn refused(\"is not what this command writes\")\n", "\t_ = old\n\treturn nil\n",
		"TestCheckLeavesTheFolderAlone", "",
	},
	{
		"nothing is extracted through a link", "cmd/ulogkit/internal/files/output.go",
		"case !info.Mode().IsRegular():\n\t\treturn refusal{", "case info.IsDir():\n\t\treturn refusal{",
		"TestExtractNeitherFollowsNorReplaces", "",
	},
	{
		"an extraction replaces no file of another content", "cmd/ulogkit/internal/files/output.go",
		"if err != nil || !bytes.Equal(old, b) {", "if err != nil || !bytes.Equal(old, old) {",
		"TestExtractNeitherFollowsNorReplaces", "",
	},
	{
		"no file is replaced through a link", "mqttv5/durable/durable.go",
		"\tif fi.Mode().IsRegular() {\n\t\treturn nil\n\t}\n\treturn &fs.PathError", "\tif !fi.IsDir() {\n\t\treturn nil\n\t}\n\treturn &fs.PathError",
		"TestReplaceFileRefusesWhatIsNoRegularFile", "",
	},
	{
		"what is set aside replaces nothing", "mqttv5/durable/durable.go",
		"\tif _, err := os.Lstat(aside); err == nil {\n", "\tif err := error(nil); err != nil {\n",
		"TestSetAsideReplacesNothing", "",
	},
	{
		"a record's checksum is compared", "mqttv5/outbox/record.go",
		"\tif le.Uint32(b[4:]) != crc32.Checksum(b[8:], castagnoli) {", "\tif false {",
		"TestF19BitFlips", "",
	},
	{
		"a full outbox refuses", "mqttv5/outbox/submit.go",
		"if o.bytes+size > o.cfg.MaxBytes {", "if false {",
		"TestFullOutboxRefuses", "",
	},
	{
		"the structure of an outbox's file is checked", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\tif err := check(name); err != nil {\n\t\treturn nil, err\n\t}\n", "",
		"TestF19BitFlips", "mqttv5/outbox",
	},
	{
		"a loss is noted", "mqttv5/outbox/file.go",
		"\tif err := noteLoss(o.cfg.Dir, loss); err != nil {\n", "\tif err := error(nil); err != nil {\n",
		"TestF44LossIsCounted", "",
	},
	{
		"a count that is not the newest is not believed", "mqttv5/outbox/file.go",
		"\t\t\t\tloss.Counted = false // the state is older than the record\n", "",
		"TestF44CountOfAnOlderCommit", "",
	},
	{
		"a second process does not open the outbox", "mqttv5/outbox/outbox.go",
		"if ok, err := o.lock.TryLock(); err != nil || !ok {", "if ok, err := o.lock.TryLock(); err != nil || !ok && false {",
		"TestF20SecondProcess", "",
	},
	{
		"a folder that is no sink is refused", "mqttv5/ingest/filesink/identity.go",
		"if err == nil && len(l.all) == 0 {", "if err == nil && len(l.all) < 0 {",
		"TestDirectoryThatIsNoSinkGetsNothing", "",
	},
	{
		"a folder with files of others becomes no sink", "mqttv5/ingest/filesink/identity.go",
		"\t\treturn identity{}, vacant(dir)\n", "\t\treturn identity{}, nil\n",
		"TestDirectoryThatIsNoSinkGetsNothing", "",
	},
	{
		"two writers of a sink are refused", "mqttv5/ingest/filesink/lock_unix.go",
		"\t\t\terr = ErrLocked\n\t\t\tbreak\n", "\t\t\terr = nil\n\t\t\tbreak\n",
		"TestSecondWorkerIsRefused", "",
	},
	{
		"a loss in a sink keeps its numbers", "mqttv5/ingest/filesink/sink.go",
		"if missing := len(old) - len(found.entries); missing > 0 {", "if missing := 0; missing > 0 {",
		"TestLossIsNeverForgotten", "",
	},
	{
		"a loss is told by each worker", "mqttv5/ingest/filesink/sink.go",
		"range lost {\n\t\tif !accepted.covers(x) {", "range lost {\n\t\tif !accepted.covers(x) && x.first == 0 {",
		"TestLossIsNeverForgotten", "",
	},
	{
		"a position of another sink is refused", "mqttv5/ingest/otlp/position.go",
		"case p.Sink != \"\" && p.Sink != sink.ID:", "case false:",
		"TestPositionThatDoesNotFitIsRefused", "",
	},
	{
		"a position of another receiver is refused", "mqttv5/ingest/otlp/position.go",
		"case p.Receiver != \"\" && p.Receiver != receiver:", "case false:",
		"TestPositionThatDoesNotFitIsRefused", "",
	},
	{
		"a position beyond the end is refused", "mqttv5/ingest/otlp/position.go",
		"case p.Next > sink.Next:", "case false:",
		"TestPositionThatDoesNotFitIsRefused", "",
	},
	{
		"records removed before they were exported are counted", "mqttv5/ingest/otlp/exporter.go",
		"\t\t\te.stats.Lost += sink.First - p.Next\n", "",
		"TestRemovedBeforeExportedCountsAsLost", "",
	},
	{
		"two exports on one position are refused", "mqttv5/ingest/otlp/position.go",
		"\tcase !ok:\n\t\treturn nil, fmt", "\tcase !ok && name == \"\":\n\t\treturn nil, fmt",
		"TestPositionIsUsedByOne", "",
	},
	{
		"a page is no receipt", "mqttv5/ingest/otlp/receipt.go",
		"\treturn receipt{}, fmt.Errorf(\"%w: it has the content type", "\tif len(body) > 0 {\n\t\treturn receipt{}, nil\n\t}\n\treturn receipt{}, fmt.Errorf(\"%w: it has the content type",
		"TestOnlyAReceiptMovesThePosition", "",
	},
	{
		"a redirect of a receiver is not followed", "mqttv5/ingest/otlp/exporter.go",
		"return http.ErrUseLastResponse }", "return nil }",
		"TestRedirectSendsNothingToAnotherHost", "",
	},
	{
		"a request that is too large is split", "mqttv5/ingest/otlp/split.go",
		"r.status == http.StatusBadRequest || r.status == http.StatusRequestEntityTooLarge", "r.status == http.StatusBadRequest",
		"TestTooLargeIsSplit", "",
	},
	{
		"a poisoned record is found", "mqttv5/ingest/otlp/split.go",
		"r.status == http.StatusBadRequest || r.status == http.StatusRequestEntityTooLarge", "r.status == http.StatusRequestEntityTooLarge",
		"TestPoisonedRecordIsSetAside", "",
	},
	{
		"a receiver that refuses all sets nothing aside", "mqttv5/ingest/otlp/split.go",
		"\tif !e.takes {\n", "\tif false {\n",
		"TestReceiverThatRefusesAllSetsNothingAside", "",
	},
	{
		"a message nobody was subscribed to is lost", "mqttv5/refusal.go",
		"ReasonNoMatchingSubscribers: {park: 20, patience: 10 * time.Minute},", "ReasonNoMatchingSubscribers: {patience: 10 * time.Minute},",
		"TestRecordsThatNobodyTakesAreParked", "",
	},
	{
		"a SUBACK has a code for each filter", "mqttv5/internal/link/subscribe.go",
		"if len(a.codes) != len(filters) {", "if len(a.codes) > len(filters) {",
		"TestSubackIsReadAsAWhole", "",
	},
	{
		"a refused filter among many is a refusal", "mqttv5/internal/link/subscribe.go",
		"\t\tcase code.Failed():\n\t\t\treturn refusal(\"subscribe", "\t\tcase code.Failed() && i == 0:\n\t\t\treturn refusal(\"subscribe",
		"TestSubackIsReadAsAWhole", "",
	},
	{
		"a message too large for the sink goes into quarantine", "mqttv5/ingest/pipeline.go",
		"errors.As(err, &tooLarge) && records == &p.good", "errors.As(err, &tooLarge) && records == nil",
		"TestTooLargeGoesIntoQuarantine", "",
	},
	{
		"a token file of others is left alone", "mqttv5/tokens/file.go",
		"\tif _, _, err := read(s.path, s.limit); errors.Is(err, errForeign) {\n\t\treturn nil, failed(\"read\", s.path, err)\n\t}\n", "",
		"TestFileNeverTouchesWhatIsNotOurs", "",
	},
	{
		"a presigned address is https:", "mqttv5/internal/cloud/cloud.go",
		"case u.Scheme != \"https\":", "case u.Scheme == \"\":",
		"TestAddressIsHTTPSAndOfThisUpload", "",
	},
	{
		"a boot reply of another request is not used", "mqttv5/boot.go",
		"case len(m.Correlation) > 0 && !bytes.Equal(m.Correlation, correlation):", "case len(m.Correlation) > 0 && !bytes.Equal(m.Correlation, m.Correlation):",
		"TestF23BootReplies", "",
	},
	{
		"a retained boot reply is not used", "mqttv5/boot.go",
		"\tcase m.Retained:\n", "\tcase false:\n",
		"TestF23BootReplies", "",
	},
	{
		"a certificate not valid yet is named", "mqttv5/internal/link/credentials.go",
		"case now.Before(leaf.NotBefore):", "case false:",
		"TestWrongCredentialsAreNamed", "",
	},
	{
		"the broker's certificate is verified", "mqttv5/internal/link/credentials.go",
		"\t\tServerName:   c.serverName,\n", "\t\tServerName:   c.serverName, InsecureSkipVerify: true,\n",
		"TestF15TLS", "mqttv5",
	},
	{
		"words of others are printed harmlessly", "cmd/ulogkit/printable.go",
		"|| !unicode.IsPrint(r):", "|| !unicode.IsPrint('a'):",
		"TestErrorsAreWrittenPrintable", "",
	},
	{
		"a spool's bad file is set aside with its reason", "mqttv5/spool/spool.go",
		"return s.setAside(f.name, err)\n", "return s.accepted(f.name)\n",
		"TestBadFileIsSetAside", "",
	},
	{
		"a spool's file stays while the outbox is full", "mqttv5/spool/spool.go",
		"\tcase errors.Is(err, fault.ErrOutboxFull), errors.Is(err, fault.ErrStorage):\n\t\ts.tell(\"\", err.Error())\n\t\treturn errStop\n", "",
		"TestFullOutboxLeavesFilesInPlace", "",
	},
	{
		"a file that the spool moves replaces none", "mqttv5/spool/spool.go",
		"err = os.Link(from, path)", "err = os.Rename(from, path)",
		"TestBadFileIsSetAside", "",
	},
	{
		"zeros of an overlay are no string where another has one", "format/dict/overlay.go",
		"case text == \"\": //", "case false: //",
		"TestOverlayOfZerosGivesTheString", "",
	},
	{
		"few of the overlays at one address are looked at", "format/dict/overlay.go",
		"max(n-maxOverlays, 0)", "0",
		"TestOverlaysAreBounded", "",
	},
	{
		"a piece of a packet that is not of eights is not held", "wire/fragments.go",
		"more && len(b)%8 != 0 || ", "",
		"TestImpossiblePiecesAreGivenUp", "",
	},
	{
		"a piece behind the longest packet is not held", "wire/fragments.go",
		"at+len(b) > maxIP", "false",
		"TestImpossiblePiecesAreGivenUp", "",
	},
	{
		"a packet with a piece behind its end is given up", "wire/fragments.go",
		"!more && len(p.pieces) > 0 && p.end() > end || ", "",
		"TestImpossiblePiecesAreGivenUp", "",
	},
	{
		"the number of a packet is used again after a minute", "wire/fragments.go",
		"(p.whole || now.Sub(p.first) > fragmentTime)", "p.whole",
		"TestIncompleteFragmentsAreCounted", "",
	},
	{
		"a lent message of MQTT 3.1.1 is published at its PUBACK", "mqttv5/lent/paho311/paho311.go",
		"case <-c.store.gone(token.(*mqtt.PublishToken).MessageID()):", "case <-token.Done():",
		"TestPublishReturnsAfterPuback", "",
	},
	{
		"what is marked as sent again is a copy", "mqttv5/lent/paho311/store.go",
		"return apart(s.Store.Get(key)) }", "return s.Store.Get(key) }",
		"TestStoreGivesCopies", "",
	},
	{
		"times allow for the tick at which a rate changed", "format/text/clock/next.go",
		"p.Doubt = min(p.Doubt+abs(micros(span, c.rate)-micros(span, e.Rate))+1, longest)", "_ = span",
		"TestTimesAllowAnyTickOfARateChange", "",
	},
	{
		"a float that may have been rounded is no integer", "format/text/rownumber.go",
		"err != nil || n > maxExact", "err != nil || n == maxExact",
		"TestBadRowsAreToldAndOthersShown", "",
	},
	{
		"a log configuration replaces no object of somebody else", "mqttv5/gateway/config.go",
		" && old.Serial != \"\"", "",
		"TestConfigReplacesOnlyConfigs", "",
	},
	{
		"a child of a command keeps no configuration waiting", "mqttv5/gateway/config.go",
		"\tcmd.WaitDelay = time.Second //", "\t//",
		"TestChildOfACommandHoldsNothingUp", "",
	},
	{
		"a device is watched once", "mqttv5/gateway/gateway.go",
		"if g.watch == nil || g.watched[dev] {", "if g.watch == nil {",
		"TestDeviceIsWatchedOnce", "",
	},
	{
		"a folder of a predictable name is no link", "mqttv5/durable/durable.go",
		"\tinfo, err := os.Lstat(path)\n\tswitch {\n\tcase err != nil:\n\t\treturn err\n\tcase info.IsDir():", "\tinfo, err := os.Stat(path)\n\tswitch {\n\tcase err != nil:\n\t\treturn err\n\tcase info.IsDir():",
		"TestSubfolderIsNoLink", "",
	},
	{
		"the outbox's intake is no link when it is opened", "mqttv5/outbox/outbox.go",
		"durable.CheckSubfolder(cfg.Dir, intakeFolder); err != nil && ", "durable.CheckSubfolder(cfg.Dir, intakeFolder); false && ",
		"TestPlantedFolder", "",
	},
	{
		"the outbox's intake is no link when it is read", "mqttv5/outbox/submitter.go",
		"durable.CheckSubfolder(dir, intakeFolder); errors.Is(err, fs.ErrNotExist)", "error(nil); errors.Is(err, fs.ErrNotExist)",
		"TestPlantedFolder", "",
	},
	{
		"the stand-in's folder of what it received is no link", "mqttv5/localcloud/cloud.go",
		"if received, err = durable.Subfolder(dir, \"received\", 0o755); err != nil", "received = dir + \"/received\"\n\t\tif err := durable.MakeDir(received, 0o755); err != nil",
		"TestFoldersAreNoLinks", "",
	},
	{
		"folders of the spool's own are no links when it starts", "mqttv5/spool/spool.go",
		"err == nil && !errors.Is(e, fs.ErrNotExist)", "false",
		"TestOwnFoldersAreNoLinks", "",
	},
	{
		"folders of the spool's own are no links when a file goes there", "mqttv5/spool/away.go",
		"if dir, err = durable.Subfolder(dir, sub, 0o700); err != nil {", "dir = filepath.Join(dir, sub)\n\t\tif err = durable.MakeDir(dir, 0o700); err != nil {",
		"TestOwnFoldersAreNoLinks", "",
	},
	{
		"a quarantine of files is no link", "mqttv5/ingest/sinks/sinks.go",
		"durable.CheckSubfolder(dir, quarantineFolder); err != nil && ", "durable.CheckSubfolder(dir, quarantineFolder); false && ",
		"TestQuarantineIsNoLink", "",
	},
	{
		"a position has one name", "mqttv5/ingest/otlp/position.go",
		"case durable.Names(info) > 1:", "case false:",
		"TestPositionInABadPlaceIsAStorageError", "",
	},
	{
		"a broker that hangs up is told in words", "mqttv5/internal/link/link.go",
		"\t\tcause = l.inWords(cause)\n", "",
		"TestHangUpIsToldInWords", "cmd/ulogkit",
	},
	{
		"what a hang-up soon after the login means is told", "mqttv5/internal/link/hangup.go",
		"!l.begun.IsZero() && time.Since(l.begun) < soonAfterLogin", "false",
		"TestEndsOfConnectionsAreWords", "",
	},
	{
		"a lock is not made through a link", "mqttv5/durable/durable.go",
		"if err != nil || info.Mode().IsRegular() {\n\t\treturn nil // taking", "if err != nil || info != nil {\n\t\treturn nil // taking",
		"TestCheckLockRefusesLinksAndFolders", "",
	},
}
