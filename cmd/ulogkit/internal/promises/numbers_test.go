package promises

// numbers are the lines by which no sequence number of a sink is given twice, and no loss
// of a whole segment goes untold.
var numbers = []mutation{
	{
		"numbers of a segment whose file is lost are not given twice", "mqttv5/ingest/filesink/recover.go",
		"next = max(next, first+uint64(info.Size()/indexEntry))", "next = max(next, first+uint64(info.Size()*0))",
		"TestNumbersOfALostSegmentStayLost", "",
	},
	{
		"a segment that lost its head keeps its numbers", "mqttv5/ingest/filesink/recover.go",
		"\tcase s.next < given:\n", "\tcase false:\n",
		"TestLossIsNeverForgotten", "",
	},
	{
		"a segment whose file is lost is known from its index", "mqttv5/ingest/filesink/segment.go",
		"if info, err := e.Info(); err == nil && info.Size() >= indexEntry {", "if info, err := e.Info(); err == nil && info.Size() < 0 {",
		"TestLostFileIsToldFromItsIndex", "",
	},
	{
		"a worker tells the records of a lost file", "mqttv5/ingest/filesink/recover.go",
		"if e.length == 0 || int64(e.offset)+int64(e.length) > size {", "if e.length == 0 || size < 0 {",
		"TestLostFileIsToldFromItsIndex", "",
	},
	{
		"a lost segment without an index is known from the note", "mqttv5/ingest/filesink/newest.go",
		"\t\tl.all = append(l.all, l.noted)\n\t\tl.beyond = l.noted + mostRecords\n", "",
		"TestLostSegmentIsToldFromTheNote", "",
	},
	{
		"a noted segment that is cut to nothing is lost", "mqttv5/ingest/filesink/newest.go",
		"\tcase l.noted == last && last > 0 && hollow(dir, last):\n\t\tl.beyond = l.noted + mostRecords\n", "",
		"TestLostSegmentIsToldFromTheNote", "",
	},
	{
		"numbers that records of a lost segment may have had are left out", "mqttv5/ingest/filesink/newest.go",
		"l.all = append(l.all, l.noted)\n\t\tl.beyond = l.noted + mostRecords", "l.all = append(l.all, l.noted)\n\t\tl.beyond = l.noted + 1",
		"TestLostSegmentIsToldFromTheNote", "",
	},
	{
		"numbers of segments that may be lost with the note are left out", "mqttv5/ingest/filesink/newest.go",
		"l.beyond = max(last, 1) + farAway", "l.beyond = 0",
		"TestDamagedNote", "",
	},
	{
		"a note that is lost is told", "mqttv5/ingest/filesink/newest.go",
		"errors.Is(err, errDamaged) || missing && of.noted", "errors.Is(err, errDamaged)",
		"TestDamagedNote", "",
	},
	{
		"a damaged note is not believed", "mqttv5/ingest/filesink/newest.go",
		"err == nil && line == newestLine(first) && first < endOfNumbers", "err == nil && first < endOfNumbers",
		"TestDamagedNote", "",
	},
	{
		"a lost segment is remembered when another is noted", "mqttv5/ingest/filesink/newest.go",
		"\tif s.lost == 0 {\n\t\treturn nil\n\t}\n", "\tif s.lost != 1<<63 {\n\t\treturn nil\n\t}\n",
		"TestLostSegmentIsToldFromTheNote", "",
	},
	{
		"a segment is noted before it holds a record", "mqttv5/ingest/filesink/sink.go",
		"\tif err == nil && s.noted != s.next {\n", "\tif err == nil && s.noted == s.next+1 {\n",
		"TestNothingIsStoredInASegmentThatIsNotNoted", "",
	},
	{
		"a segment is noted after its name is durable", "mqttv5/ingest/filesink/sink.go",
		"\tif err == nil {\n\t\terr = durable.SyncDir(s.cfg.Dir)\n\t}\n\n\t// Only now", "\tif err == nil {\n\t\terr = writeNewest(s.cfg.Dir, s.next)\n\t}\n\tif err == nil {\n\t\terr = durable.SyncDir(s.cfg.Dir)\n\t}\n\n\t// Only now",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"the note of the newest segment is durable", "mqttv5/ingest/filesink/newest.go",
		"return durable.ReplaceFile(newestName(dir), []byte(strings.Repeat(newestLine(first), 2)), 0o600)", "return os.WriteFile(newestName(dir), []byte(strings.Repeat(newestLine(first), 2)), 0o600|durable.KeepMode)",
		"TestAppendReturnsAfterEachSync", "",
	},
	{
		"a segment that is not noted is left", "mqttv5/ingest/filesink/recover.go",
		"\tcase s.noted < l.last():\n\t\ts.leave()", "\tcase s.noted < l.last():\n\t\t//",
		"TestSegmentThatCannotBeNotedIsLeft", "",
	},
	{
		"a segment that is begun again keeps its head", "mqttv5/ingest/filesink/sink.go",
		"err = seg.Truncate(int64(segmentHead))", "err = seg.Truncate(0)",
		"TestSegmentIsBegunAgainWithItsHead", "",
	},
	{
		"a reader tells what a lost note hides only without a worker", "mqttv5/ingest/filesink/reader.go",
		"\t\tif !free {\n\t\t\treturn 0, ingest.ErrEnd", "\t\tif !free && free {\n\t\t\treturn 0, ingest.ErrEnd",
		"TestDamagedNoteBesideAWorker", "",
	},
	{
		"a reader goes on with the segment behind a lost one", "mqttv5/ingest/filesink/reader.go",
		"\t\tr.next, r.past = l.all[i], false\n", "\t\tr.past = false\n",
		"TestReaderFollowsBehindALostSegment", "",
	},
	{
		"a worker tells a loss that nobody can count", "mqttv5/ingest/filesink/recover.go",
		"range uncounted {\n\t\tif !accepted.covers(x) {", "range uncounted {\n\t\tif !accepted.covers(x) && x.first == 0 {",
		"TestLostSegmentIsToldFromTheNote", "",
	},
	{
		"a renamed segment is not written over", "mqttv5/ingest/filesink/recover.go",
		"if found.other != 0 && (found.end", "if found.other == 0 && (found.other != 0 && found.end",
		"TestRenamedSegment", "",
	},
	{
		"a sink of an earlier version keeps its identity", "mqttv5/ingest/filesink/identity.go",
		"\tif made.id == \"\" {\n", "\tif true {\n",
		"TestSinkOfAnEarlierVersion", "",
	},
	{
		"a position of a sink that was put back is refused", "mqttv5/ingest/otlp/position.go",
		"&& r.Key.String() != w.Last {", "&& r.Key.String() == \"\" {",
		"TestPositionOfASinkThatWasPutBack", "",
	},
	{
		"a loss that nobody can count is told by an export", "mqttv5/ingest/otlp/exporter.go",
		"\t\t\t\t\te.stats.Uncounted++\n", "",
		"TestPositionAtALostSegment", "",
	},
	{
		"records that another segment hides are told by readers", "mqttv5/ingest/filesink/reader.go",
		"\t\t\tif hidden != nil {\n", "\t\t\tif hidden != nil && r.first == 0 {\n",
		"TestSegmentsWithTheSameNumbers", "",
	},
	{
		"records that another segment hides are told by the worker", "mqttv5/ingest/filesink/recover.go",
		"lost = append(lost, span{end, known - 1}) // another", "// another",
		"TestSegmentsWithTheSameNumbers", "",
	},
	{
		"numbers that another segment hides are not given again", "mqttv5/ingest/filesink/recover.go",
		"\tcase s.next < given:\n\t\ts.leave()\n\t\ts.next = given\n", "",
		"TestSegmentsWithTheSameNumbers", "",
	},
}
