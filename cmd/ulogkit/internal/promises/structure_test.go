package promises

// structure are the lines that check an outbox's file, and what others submit to it.
var structure = []mutation{
	{
		"a file of fewer pages than it says is damaged", "mqttv5/outbox/internal/boltfile/check.go",
		"m.high > uint64(fi.Size())/uint64(m.pageSize)", "false",
		"TestEachLieIsFound", "",
	},
	{
		"a meta page's magic is compared", "mqttv5/outbox/internal/boltfile/check.go",
		"nativeEndian.Uint32(b[16:]) != magic || ", "",
		"TestEachLieIsFound", "",
	},
	{
		"a meta page's version is compared", "mqttv5/outbox/internal/boltfile/check.go",
		"nativeEndian.Uint32(b[20:]) != 2 || ", "",
		"TestEachLieIsFound", "",
	},
	{
		"a meta page's sum is compared", "mqttv5/outbox/internal/boltfile/check.go",
		" || h.Sum64() != nativeEndian.Uint64(b[72:])", "",
		"TestEachLieIsFound", "",
	},
	{
		"a file's page size is one that can be", "mqttv5/outbox/internal/boltfile/check.go",
		"m.pageSize < 512 || m.pageSize > 1<<20 || m.pageSize&(m.pageSize-1) != 0", "false",
		"TestEachLieIsFound", "",
	},
	{
		"the meta pages agree in the page size", "mqttv5/outbox/internal/boltfile/check.go",
		"second.pageSize != first.pageSize", "false",
		"TestEachLieIsFound", "",
	},
	{
		"a page is none of the meta pages", "mqttv5/outbox/internal/boltfile/check.go",
		"id < 2 || id >= c.high", "id >= c.high",
		"TestEachLieIsFound", "",
	},
	{
		"a page is one of the file", "mqttv5/outbox/internal/boltfile/check.go",
		"id < 2 || id >= c.high", "id < 2",
		"TestEachLieIsFound", "",
	},
	{
		"a page says that it is itself", "mqttv5/outbox/internal/boltfile/check.go",
		"nativeEndian.Uint64(head) != id || n > c.high-id", "n > c.high-id",
		"TestEachLieIsFound", "",
	},
	{
		"a page does not go on behind the end", "mqttv5/outbox/internal/boltfile/check.go",
		"nativeEndian.Uint64(head) != id || n > c.high-id", "nativeEndian.Uint64(head) != id",
		"TestEachLieIsFound", "",
	},
	{
		"a page is used once", "mqttv5/outbox/internal/boltfile/check.go",
		"\t\tif c.used[i] {", "\t\tif false {",
		"TestEachLieIsFound", "",
	},
	{
		"pages nest so deep and no deeper", "mqttv5/outbox/internal/boltfile/check.go",
		"depth > maxDepth", "false",
		"TestDepthHasABound", "",
	},
	{
		"a page of the tree is a branch or a leaf", "mqttv5/outbox/internal/boltfile/check.go",
		"flags != pageBranch && flags != pageLeaf", "false",
		"TestEachLieIsFound", "",
	},
	{
		"the elements of a page lie in it", "mqttv5/outbox/internal/boltfile/check.go",
		"pageHead+16*count > len(b) || (flags", "(flags",
		"TestEachLieIsFound", "",
	},
	{
		"a branch leads somewhere", "mqttv5/outbox/internal/boltfile/check.go",
		" || (flags == pageBranch && count == 0)", "",
		"TestEachLieIsFound", "",
	},
	{
		"what an element holds begins behind it", "mqttv5/outbox/internal/boltfile/check.go",
		"pos < 16 || pos+ksize", "pos+ksize",
		"TestEachLieIsFound", "",
	},
	{
		"what an element holds ends in its page", "mqttv5/outbox/internal/boltfile/check.go",
		"pos < 16 || pos+ksize+vsize > uint64(len(e))", "pos < 16",
		"TestEachLieIsFound", "",
	},
	{
		"keys are in order", "mqttv5/outbox/internal/boltfile/check.go",
		"bytes.Compare(keys[i], least) < 0 || (upper", "len(least) < 0 || (upper",
		"TestEachLieIsFound", "",
	},
	{
		"keys lie below those of the next page", "mqttv5/outbox/internal/boltfile/check.go",
		" || (upper != nil && bytes.Compare(keys[i], upper) >= 0)", "",
		"TestEachLieIsFound", "",
	},
	{
		"an element is a value or a bucket", "mqttv5/outbox/internal/boltfile/check.go",
		"\tcase flags != 1:\n", "\tcase false:\n",
		"TestEachLieIsFound", "",
	},
	{
		"a bucket has a head", "mqttv5/outbox/internal/boltfile/check.go",
		"\tcase len(v) < 16:\n", "\tcase false:\n",
		"TestEachLieIsFound", "",
	},
	{
		"a bucket within a page is a leaf", "mqttv5/outbox/internal/boltfile/check.go",
		"len(v) < 16+pageHead || nativeEndian.Uint16(v[16+8:]) != pageLeaf", "len(v) < 16+pageHead",
		"TestEachLieIsFound", "",
	},
	{
		"the list of free pages is one", "mqttv5/outbox/internal/boltfile/check.go",
		"nativeEndian.Uint16(b[8:]) != pageFree", "false",
		"TestEachLieIsFound", "",
	},
	{
		"the list of free pages lies in its page", "mqttv5/outbox/internal/boltfile/check.go",
		"count > uint64(len(b)-from)/8", "false",
		"TestEachLieIsFound", "",
	},
	{
		"a free page is not used", "mqttv5/outbox/internal/boltfile/check.go",
		"p < 2 || p >= c.high || c.used[p]", "p < 2 || p >= c.high",
		"TestEachLieIsFound", "",
	},
	{
		"a panic over a page is damage", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\t\tif p := recover(); p != nil {", "\t\tif p := any(nil); p != nil {",
		"TestBrokenPagesDoNotEndTheProcess", "",
	},
	{
		"a page that the disk no longer has is damage", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\tdefer debug.SetPanicOnFault(debug.SetPanicOnFault(true))\n", "\t_ = debug.SetPanicOnFault\n",
		"TestBrokenPagesDoNotEndTheProcess", "",
	},
	{
		"what a compaction that was killed left is no part of the next", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\ttemp := f.name + \".tmp\" // whoever compacts holds the outbox's lock\n\tif err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {\n\t\treturn err\n\t}\n", "\ttemp := f.name + \".tmp\"\n",
		"TestOldTemporaryFileIsNoPartOfANewOne", "",
	},
	{
		"what a salvage that was killed left is no part of the next", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\ttemp := name + \".tmp\" // whoever builds holds the outbox's lock\n\tif err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {\n\t\treturn 0, err\n\t}\n", "\ttemp := name + \".tmp\"\n",
		"TestOldTemporaryFileIsNoPartOfANewOne", "",
	},
	{
		"a salvage that fails leaves nothing", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\t\t\tdb.Close()\n\t\t\tos.Remove(temp)\n", "\t\t\tdb.Close()\n",
		"TestBuildThatFailsLeavesNothing", "",
	},
	{
		"a compaction that fails leaves nothing", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"\t\tos.Remove(temp) // the room is needed\n", "",
		"TestF45CompactionFails", "mqttv5/outbox",
	},
	{
		"no outbox is made through a link to nothing", "mqttv5/outbox/internal/boltfile/boltfile.go",
		"if _, err := os.Stat(name); !isNew && errors.Is(err, os.ErrNotExist) {", "if _, err := os.Stat(name); !isNew && errors.Is(err, os.ErrNotExist) && name == \"\" {",
		"TestOpenMakesNothingThroughALink", "",
	},
	{
		"what is read while others write is of one commit", "mqttv5/outbox/internal/boltfile/read.go",
		"err != nil || after.txid != before.txid", "err != nil || after.txid == 0",
		"TestReadIsOfOneCommit", "",
	},
	{
		"opening an outbox spares who submits", "mqttv5/outbox/intake.go",
		"\tif ok, err := lock.TryLock(); err != nil || !ok {\n\t\treturn\n\t}\n", "\tlock.TryLock()\n",
		"TestOpenSparesWhoSubmits", "",
	},
	{
		"opening an outbox makes no lock through a link", "mqttv5/outbox/intake.go",
		"\tif durable.CheckLock(name) != nil {\n\t\treturn // who submits is told\n\t}\n", "",
		"TestOpenSparesWhoSubmits", "",
	},
	{
		"a submitted record is the one that its name says", "mqttv5/outbox/intake.go",
		"\tif err == nil && (origin{r.outbox, r.seq}) != f.origin {\n\t\terr = errRecord\n\t}\n", "",
		"TestIntakeKeepsWhatIsNotWhatItsNameSays", "",
	},
	{
		"a damaged submission is kept", "mqttv5/outbox/intake.go",
		"bucket = bucketDamaged", "continue",
		"TestIntakeKeepsWhatIsNotWhatItsNameSays", "",
	},
	{
		"a full outbox picks nothing up", "mqttv5/outbox/intake.go",
		"if o.bytes+int64(size) > o.cfg.MaxBytes {", "if false {",
		"TestIntakeKeepsToTheLimit", "",
	},
	{
		"what was not picked up takes no room", "mqttv5/outbox/intake.go",
		"\t\tin.o.bytes -= int64(len(p.value))\n", "",
		"TestIntakeKeepsToTheLimit", "",
	},
	{
		"a file of others is read so far and no further", "mqttv5/durable/durable.go",
		"io.ReadAll(io.LimitReader(f, n))", "io.ReadAll(f)",
		"TestReadStartTakesNoMoreThanAskedFor", "",
	},
	{
		"a submission that is too large is set aside", "mqttv5/outbox/intake.go",
		"\tif len(b) > maxRecord {", "\tif false {",
		"TestIntakeTakesOnlyRecords", "",
	},
	{
		"only regular files are picked up", "mqttv5/outbox/submitter.go",
		" || !e.Type().IsRegular()", "",
		"TestIntakeTakesOnlyRecords", "",
	},
	{
		"the lock of submitters is its owner's alone", "mqttv5/outbox/submitter.go",
		"flock.New(intakeLock(s.dir), flock.SetPermissions(0o600))", "flock.New(intakeLock(s.dir), flock.SetPermissions(0o644))",
		"TestSubmittedFilesAreTheOwnersAlone", "",
	},
	{
		"the lock of submitters is made through no link", "mqttv5/outbox/submitter.go",
		"\tif err := durable.CheckLock(intakeLock(s.dir)); err != nil {\n\t\treturn \"\", s.failed(\"submit to\", err)\n\t}\n", "",
		"TestNothingIsMadeThroughPlantedLinks", "",
	},
	{
		"submitters share the limit", "mqttv5/outbox/submitter.go",
		"if waits+int64(x.size()) > s.max {", "if false {",
		"TestFullOutboxRefusesSubmittersAndLosesNothing", "",
	},
	{
		"a full disk refuses submitters with ErrOutboxFull", "mqttv5/outbox/submitter.go",
		"s.dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: \"nothing was accepted\"}\n\t\tif diskFull(err) {", "s.dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: \"nothing was accepted\"}\n\t\tif false {",
		"TestF17SubmitterOnFullDisk", "",
	},
	{
		"a full disk refuses records with ErrOutboxFull", "mqttv5/outbox/submit.go",
		"o.cfg.Dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: \"nothing was accepted\"}\n\t\tif diskFull(err) {", "o.cfg.Dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: \"nothing was accepted\"}\n\t\tif false {",
		"TestF17DiskFull", "",
	},
	{
		"room is kept for what must be written on a full disk", "mqttv5/outbox/file.go",
		"if grows && tx.Bucket(bucketSpare).Get(keySpare) == nil {", "if false {",
		"TestF17DropWhileFull", "",
	},
	{
		"new records of a lost state have another identity", "mqttv5/outbox/file.go",
		"known = state{identity: randomUint64()}", "known = state{identity: 1}",
		"TestDamagedStateIsNotBelieved", "",
	},
	{
		"an outbox has a mark", "mqttv5/outbox/file.go",
		"\t\tif e := leaveMark(o.cfg.Dir); e != nil {", "\t\tif e := error(nil); e != nil {",
		"TestF44FileGone", "",
	},
	{
		"an outbox that lost its file says so", "mqttv5/outbox/mark.go",
		"\t\treturn true, nil\n", "\t\treturn false, nil\n",
		"TestF44FileGone", "",
	},
	{
		"an outbox whose file was cut to nothing says so", "mqttv5/outbox/mark.go",
		"err == nil && info.Size() == 0, err", "err == nil && info.Size() < 0, err",
		"TestF44FileGone", "",
	},
	{
		"the mark of an outbox is its owner's alone", "mqttv5/outbox/mark.go",
		"[]byte(mark), 0o600)", "[]byte(mark), 0o644)",
		"TestFilesAreTheOwnersAlone", "",
	},
	{
		"what stands in for a lost file is its owner's alone", "mqttv5/outbox/mark.go",
		"os.O_EXCL, 0o600)", "os.O_EXCL, 0o644)",
		"TestF44FileGone", "",
	},
}
