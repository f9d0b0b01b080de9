package promises

// modes are the lines that keep others out. Two are missing, since nobody could tell
// that they are gone: that a temporary file is made exclusively, under a name of 26
// random letters, and with mode 0600 for the moment before it gets its own.
var modes = []mutation{
	{
		"the mode that is asked for is exact", "mqttv5/durable/durable.go",
		"if err := f.Chmod(mode); err != nil {", "if err := error(nil); err != nil {",
		"TestReplaceFileHasTheModeThatIsAskedFor", "",
	},
	{
		"a replaced file keeps its mode", "mqttv5/durable/durable.go",
		"\t\tmode = old.Mode().Perm()\n", "\t\tmode = 0o644\n",
		"TestReplaceFileHasTheModeThatIsAskedFor", "",
	},
	{
		"the outbox's folder is its owner's alone", "mqttv5/outbox/outbox.go",
		"durable.MakeDir(cfg.Dir, 0o700)", "durable.MakeDir(cfg.Dir, 0o755)",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"the outbox's lock is its owner's alone", "mqttv5/outbox/outbox.go",
		"flock.New(lock, flock.SetPermissions(0o600))", "flock.New(lock, flock.SetPermissions(0o644))",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"the folder of submitted records is its owner's alone", "mqttv5/outbox/submitter.go",
		"durable.Subfolder(s.dir, intakeFolder, 0o700)", "durable.Subfolder(s.dir, intakeFolder, 0o755)",
		"TestSubmittedFilesAreTheOwnersAlone", "",
	},
	{
		"a submitted record is its owner's alone", "mqttv5/outbox/submitter.go",
		"x.encode(), 0o600)", "x.encode(), 0o644)",
		"TestSubmittedFilesAreTheOwnersAlone", "",
	},
	{
		"a salvaged outbox is its owner's alone", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\tdb, err := bolt.Open(temp, 0o600, nil)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n", "\tdb, err := bolt.Open(temp, 0o644, nil)\n\tif err != nil {\n\t\treturn 0, err\n\t}\n",
		"TestSalvageIsDurable", "mqttv5/outbox",
	},
	{
		"an outbox made smaller is its owner's alone", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\t\tdb, err := bolt.Open(temp, 0o600, nil)\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n", "\t\tdb, err := bolt.Open(temp, 0o644, nil)\n\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n",
		"TestCompactionIsDurable", "mqttv5/outbox",
	},
	{
		"an outbox folder that is open to others is told", "mqttv5/outbox/outbox.go",
		"info.Mode().Perm()&0o022 != 0", "false",
		"TestF56DirectoryOpenToOthers", "",
	},
	{
		"a sink's folder that is open to others is told", "mqttv5/ingest/filesink/sink.go",
		"err == nil && info.Mode().Perm()&0o022 != 0", "err == nil && info == nil",
		"TestDirectoryOpenToOthersIsTold", "",
	},
	{
		"segments and indexes are opened through no link", "mqttv5/ingest/filesink/segment.go",
		"os.OpenFile(name, flag|noFollow, 0o600)", "os.OpenFile(name, flag, 0o600)",
		"TestPlantedLinksAreNotFollowed", "",
	},
	{
		"the sink's lock is made through no link", "mqttv5/ingest/filesink/lock_unix.go",
		"os.O_CREATE|os.O_RDWR|noFollow", "os.O_CREATE|os.O_RDWR",
		"TestPlantedLinksAreNotFollowed", "",
	},
	{
		"the sink's identity is its owner's alone", "mqttv5/ingest/filesink/identity.go",
		"\"\\n\"), 0o600)", "\"\\n\"), 0o644)",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"a position is its owner's alone", "mqttv5/ingest/otlp/position.go",
		`append(b, '\n'), 0o600)`, `append(b, '\n'), 0o644)`,
		"TestPositionFollowsTheLastBatch", "",
	},
	{
		"refused records are their owner's alone", "mqttv5/ingest/otlp/split.go",
		"os.OpenFile(name, flags, 0o600)", "os.OpenFile(name, flags, 0o644)",
		"TestPoisonedRecordIsSetAside", "",
	},
	{
		"refused records are added through no link", "mqttv5/ingest/otlp/split.go",
		"case err == nil && !info.Mode().IsRegular():\n\t\treturn fmt.Errorf(\"%s is a %s\", name, durable.Kind(info))\n", "case err == nil && info == nil:\n\t\treturn fmt.Errorf(\"%s is a %s\", name, durable.Kind(info))\n",
		"TestRefusedRecordsFollowNoLink", "",
	},
	{
		"a position's lock is made through no link", "mqttv5/ingest/otlp/position.go",
		"if err := durable.CheckLock(lock); err != nil {", "if err := durable.CheckLock(name); lock == \"\" {",
		"TestPositionIsUsedByOne", "",
	},
	{
		"a position is no link", "mqttv5/ingest/otlp/position.go",
		"case !info.Mode().IsRegular():\n\t\treturn nil, fmt.Errorf(\"%w: %s is a %s; name", "case info == nil:\n\t\treturn nil, fmt.Errorf(\"%w: %s is a %s; name",
		"TestPositionInABadPlaceIsAStorageError", "",
	},
	{
		"the token file's folder is its owner's alone", "mqttv5/tokens/file.go",
		"durable.MakeDir(filepath.Dir(s.path), 0o700)", "durable.MakeDir(filepath.Dir(s.path), 0o755)",
		"TestFileIsTheOwnersAlone", "",
	},
	{
		"a token file that was open to others is closed", "mqttv5/tokens/file.go",
		"if err := os.Chmod(s.path, 0o600); err != nil {", "if err := error(nil); err != nil {",
		"TestFileOpenToOthersBecomesPrivate", "",
	},
	{
		"the token file's lock is its owner's alone", "mqttv5/tokens/file.go",
		"flock.SetPermissions(0o600)", "flock.SetPermissions(0o644)",
		"TestFileIsTheOwnersAlone", "",
	},
	{
		"an extracted payload is its owner's alone", "cmd/ulogkit/internal/files/output.go",
		"durable.ReplaceFile(name, b, 0o600)", "durable.ReplaceFile(name, b, 0o644)",
		"TestExtractNeitherFollowsNorReplaces", "",
	},
	{
		"an extracted payload that was open to others is closed", "cmd/ulogkit/internal/files/output.go",
		"\t\tif info.Mode().Perm()&^0o600 == 0 {\n\t\t\treturn nil\n\t\t}\n", "\t\treturn nil\n",
		"TestExtractNeitherFollowsNorReplaces", "",
	},
	{
		"a tap is its owner's alone", "cmd/ulogkit/internal/files/output.go",
		"f, err := durable.Create(target, 0o600)", "f, err := durable.Create(target, 0o644)",
		"TestGrowKeepsTheOldFileUntilSafe", "",
	},
	{
		"the folder of an extraction is its owner's alone", "cmd/ulogkit/internal/files/output.go",
		"return durable.MakeDir(filepath.Clean(dir), 0o700)", "return durable.MakeDir(filepath.Clean(dir), 0o755)",
		"TestMakeDirIsTheOwnersAlone", "",
	},
	{
		"what the stand-in received is its owner's alone", "mqttv5/localcloud/inbox.go",
		"durable.Create(name, 0o600)", "durable.Create(name, durable.KeepMode)",
		"TestReceivedFilesFollowNoLink", "",
	},
	{
		"a spool's file is opened through no link", "mqttv5/spool/open_unix.go",
		"os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK", "os.O_RDONLY|syscall.O_NONBLOCK",
		"TestReadFollowsNoLink", "",
	},
	{
		"a spool's pipe holds nothing up", "mqttv5/spool/open_unix.go",
		"os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK", "os.O_RDONLY|syscall.O_NOFOLLOW",
		"TestReadFollowsNoLink", "",
	},
	{
		"a private key that others can read is refused", "mqttv5/internal/link/mode_unix.go",
		"if mode&0o077 == 0 {", "if mode&0o007 == 0 {",
		"TestKeyThatItsGroupMayReadNeedsRoot", "",
	},
}
