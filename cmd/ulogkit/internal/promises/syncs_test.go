package promises

// syncs are the lines that put something on the disk.
var syncs = []mutation{
	{
		"a new file's bytes are synced before its name", "mqttv5/durable/durable.go",
		"\tif err := f.Sync(); err != nil {\n\t\treturn err\n\t}\n\tif err := f.Close()", "\tif err := f.Close()",
		"TestEachStepIsSyncedInOrder/replace", "",
	},
	{
		"a growing file's first bytes are synced before its name", "mqttv5/durable/durable.go",
		"\tif err := f.Sync(); err != nil {\n\t\tf.Abort()\n\t\treturn err\n\t}\n", "",
		"TestEachStepIsSyncedInOrder/appear", "",
	},
	{
		"a new file's name is synced", "mqttv5/durable/durable.go",
		"\treturn SyncDir(filepath.Dir(f.name))\n", "\treturn nil\n",
		"TestEachStepIsSyncedInOrder/replace", "",
	},
	{
		"a folder that is synced is synced", "mqttv5/durable/durable.go",
		"errors.Join(d.Sync(), d.Close())", "d.Close()",
		"TestEachStepIsSyncedInOrder/replace", "",
	},
	{
		"each new folder is synced in the one above", "mqttv5/durable/durable.go",
		"\tfor _, made := range missing {\n", "\tfor _, made := range missing[:min(1, len(missing))] {\n",
		"TestEachStepIsSyncedInOrder/make", "",
	},
	{
		"the outbox's folder is durable", "mqttv5/outbox/outbox.go",
		"durable.MakeDir(cfg.Dir, 0o700)", "os.MkdirAll(cfg.Dir, 0o700|durable.KeepMode)",
		"TestSubmitReturnsAfterFsync", "",
	},
	{
		"a new outbox file is durable in its folder", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\tif isNew {\n", "\tif false && isNew {\n",
		"TestSubmitReturnsAfterFsync", "mqttv5/outbox",
	},
	{
		"commits of the outbox are synced", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"&bolt.Options{Timeout: time.Second,", "&bolt.Options{NoSync: true, Timeout: time.Second,",
		"TestSubmitReturnsAfterFsync", "mqttv5/outbox",
	},
	{
		"a file made smaller is durable", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\terr = durable.Rename(temp, f.name)\n", "\terr = os.Rename(temp, f.name)\n",
		"TestCompactionIsDurable", "mqttv5/outbox",
	},
	{
		"what was read of a damaged file is synced before its name", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\tdb, err := bolt.Open(temp, 0o600, nil)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n", "\tdb, err := bolt.Open(temp, 0o600, &bolt.Options{NoSync: true})\n\tif err != nil {\n\t\treturn 0, err\n\t}\n",
		"TestSalvageIsDurable", "mqttv5/outbox",
	},
	{
		"a damaged outbox is set aside durably", "mqttv5/outbox/file.go",
		"aside, err := durable.SetAside(o.path)", "aside := o.path + \".damaged-1\"\n\terr = errors.Join(os.Rename(o.path, aside), durable.Sweep(aside))",
		"TestSalvageIsDurable", "",
	},
	{
		"what is known of a loss is durable", "mqttv5/outbox/loss.go",
		"return durable.ReplaceFile(lossName(dir), b, 0o600)", "return os.WriteFile(lossName(dir), b, 0o600)",
		"TestNotesOfLossesAreDurable", "",
	},
	{
		"that a loss was seen is durable", "mqttv5/outbox/loss.go",
		"durable.ReplaceFile(seenName(dir), b, 0o600)", "os.WriteFile(seenName(dir), b, 0o600)",
		"TestNotesOfLossesAreDurable", "",
	},
	{
		"the folder of submitted records is durable", "mqttv5/outbox/submitter.go",
		"if _, err := durable.Subfolder(s.dir, intakeFolder, 0o700)", "if err := os.Mkdir(intakeDir(s.dir), 0o700)",
		"TestSubmitterReturnsAfterFsync", "",
	},
	{
		"the outbox's folder is durable for a submitter, too", "mqttv5/outbox/submitter.go",
		"durable.MakeDir(s.dir, 0o700)", "os.MkdirAll(s.dir, 0o700)",
		"TestSubmitterReturnsAfterFsync", "",
	},
	{
		"a new subfolder is durable", "mqttv5/durable/durable.go",
		"\t\treturn path, err\n\t}\n\treturn path, SyncDir(dir)\n", "\t\treturn path, err\n\t}\n\treturn path, nil\n",
		"TestEachStepIsSyncedInOrder/subfolder", "",
	},
	{
		"a submitted record is durable", "mqttv5/outbox/submitter.go",
		"durable.ReplaceFile(intakeName(s.dir, next, s.identity, s.seq), x.encode(), 0o600)", "os.WriteFile(intakeName(s.dir, next, s.identity, s.seq), x.encode(), 0o600)",
		"TestSubmitterReturnsAfterFsync", "",
	},
	{
		"the removal of a picked-up record is durable", "mqttv5/outbox/intake.go",
		"return errors.Join(all, durable.SyncDir(intakeDir(in.o.cfg.Dir)))", "return all",
		"TestPickUpCommitsBeforeItRemoves", "",
	},
	{
		"the sink's folder and those above are durable", "mqttv5/ingest/filesink/sink.go",
		"durable.MakeDir(cfg.Dir, 0o700)", "os.MkdirAll(cfg.Dir, 0o700)",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"a new segment's head is synced", "mqttv5/ingest/filesink/sink.go",
		"\tif err == nil {\n\t\terr = seg.Sync()\n\t}\n", "",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"a batch is synced", "mqttv5/ingest/filesink/sink.go",
		"\tif err == nil {\n\t\terr = s.sync(s.seg)\n\t}\n", "",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"what was half written is cut off durably", "mqttv5/ingest/filesink/sink.go",
		"errors.Join(seg.Truncate(found.end), seg.Sync())", "seg.Truncate(found.end)",
		"TestRepairIsDurable", "",
	},
	{
		"an index made anew is durable", "mqttv5/ingest/filesink/sink.go",
		"return durable.ReplaceFile(name, b, 0o600)", "return os.WriteFile(name, b, 0o600|durable.KeepMode)",
		"TestRepairIsDurable", "",
	},
	{
		"the removal of segments is durable", "mqttv5/ingest/filesink/sink.go",
		"\treturn durable.SyncDir(s.cfg.Dir)\n", "\treturn nil\n",
		"TestAcceptedLossesAndRemovalAreDurable", "",
	},
	{
		"the sink's identity is durable", "mqttv5/ingest/filesink/identity.go",
		"durable.ReplaceFile(identityName(dir), []byte(identityHead+made.id+\"\\n\"), 0o600)", "os.WriteFile(identityName(dir), []byte(identityHead+made.id+\"\\n\"), 0o600|durable.KeepMode)",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"an accepted loss is durable", "mqttv5/ingest/filesink/accepted.go",
		"durable.ReplaceFile(acceptedName(dir), b, 0o600)", "os.WriteFile(acceptedName(dir), b, 0o600|durable.KeepMode)",
		"TestAcceptedLossesAndRemovalAreDurable", "",
	},
	{
		"a tail that a reader returns is synced first", "mqttv5/ingest/filesink/reader.go",
		"\t\tif err := r.seg.Sync(); err != nil {\n\t\t\treturn err\n\t\t}\n", "",
		"TestReaderSyncsATailThatNobodyKnows", "",
	},
	{
		"a refused record is synced", "mqttv5/ingest/otlp/split.go",
		"errors.Join(err, f.Sync(), f.Close())", "errors.Join(err, f.Close())",
		"TestRefusedRecordsAreDurable", "",
	},
	{
		"a new file of refused records is durable in its folder", "mqttv5/ingest/otlp/split.go",
		"; err == nil && made {", "; err == nil && made && name == \"\" {",
		"TestRefusedRecordsAreDurable", "",
	},
	{
		"a token is durable", "mqttv5/tokens/file.go",
		"durable.ReplaceFile(s.path, encode(&s.list), 0o600)", "os.WriteFile(s.path, encode(&s.list), 0o600)",
		"TestSetTokenReturnsAfterFsync", "",
	},
	{
		"the token file's folder is durable", "mqttv5/tokens/file.go",
		"durable.MakeDir(filepath.Dir(s.path), 0o700)", "os.MkdirAll(filepath.Dir(s.path), 0o700)",
		"TestSetTokenReturnsAfterFsync", "",
	},
	{
		"a file that the spool set aside is durable in its new folder", "mqttv5/spool/spool.go",
		"\treturn path, durable.SyncDir(dir)\n", "\treturn path, nil\n",
		"TestSpoolMovesAreDurable", "",
	},
	{
		"a folder of the spool's own is durable", "mqttv5/spool/spool.go",
		"dir, err := durable.Subfolder(s.cfg.Dir, to, 0o700)", "dir := filepath.Join(s.cfg.Dir, to)\n\terr = os.MkdirAll(dir, 0o700)",
		"TestSpoolMovesAreDurable", "",
	},
	{
		"what the spool took away stays away", "mqttv5/spool/spool.go",
		"durable.SyncDir(filepath.Join(s.cfg.Dir, sub))", "error(nil)",
		"TestSpoolMovesAreDurable", "",
	},
	{
		"an extracted payload is durable", "cmd/ulogkit/internal/files/output.go",
		"durable.ReplaceFile(name, b, 0o600)", "os.WriteFile(name, b, 0o600)",
		"TestOutputsAreDurable/extract", "",
	},
	{
		"the folder of an extraction is durable", "cmd/ulogkit/internal/files/output.go",
		"return durable.MakeDir(filepath.Clean(dir), 0o700)", "return os.MkdirAll(filepath.Clean(dir), 0o700)",
		"TestOutputsAreDurable/folder", "",
	},
}
