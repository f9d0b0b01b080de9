package promises

// orders are the lines that do one thing before another.
var orders = []mutation{
	{
		"a PUBACK to the broker follows the sync", "mqttv5/ingest/pipeline.go",
		"\t\tmark := p.seen.mark()\n\t\tp.examine()\n", "\t\tp.acknowledge(in)\n\t\tmark := p.seen.mark()\n\t\tp.examine()\n",
		"TestAcknowledgementsFollowTheWrites", "",
	},
	{
		"what was not stored is no copy when it comes again", "mqttv5/ingest/pipeline.go",
		"\t\t\tp.seen.forget(mark)\n", "\t\t\t_ = mark\n",
		"TestMessageOfALostConnectionIsNoCopy", "",
	},
	{
		"a record is in the queue after its commit", "mqttv5/outbox/submit.go",
		"\t\tdone: func(err error) { done <- o.accepted(x, size, room, err) },\n", "\t\tdone: func(err error) { o.accepted(x, size, room, err) },\n\t})\n\tdone <- nil\n\t_ = (&change{\n",
		"TestChangeThatCannotBeWrittenDidNotHappen", "",
	},
	{
		"a submitted record's file is removed after the commit", "mqttv5/outbox/intake.go",
		"\t\tn, failed := in.commit(some)\n", "\t\tfor _, p := range some {\n\t\t\tos.Remove(p.path)\n\t\t}\n\t\tn, failed := in.commit(some)\n",
		"TestPickUpCommitsBeforeItRemoves", "",
	},
	{
		"a record that was picked up is not picked up again", "mqttv5/outbox/intake.go",
		"\t\tif in.have[f.origin] {\n", "\t\tif false {\n",
		"TestPickedUpOnceThoughItsFileIsThere", "",
	},
	{
		"a batch that failed is cut off", "mqttv5/ingest/filesink/sink.go",
		"\t\ts.seg.Truncate(s.size)\n", "",
		"TestSegmentIsLeftAfterASyncThatFailed", "",
	},
	{
		"a segment is left after a sync that failed", "mqttv5/ingest/filesink/sink.go",
		"\t\ts.seg.Truncate(s.size)\n\t\ts.leave()\n", "\t\ts.seg.Truncate(s.size)\n",
		"TestSegmentIsLeftAfterASyncThatFailed", "",
	},
	{
		"the index follows the sync", "mqttv5/ingest/filesink/sink.go",
		"\tend, err := s.write(records)\n\tif err == nil {\n", "\tend, err := s.write(records)\n\ts.pending = append(s.pending, s.batch...)\n\ts.index()\n\tif err == nil {\n",
		"TestNothingCountsBeforeTheSync", "",
	},
	{
		"an output is looked at again before it is replaced", "cmd/ulogkit/internal/files/output.go",
		"\t\tif regular {\n\t\t\tif err := o.mayReplace(target); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n\t\t}\n", "\t\t_, _ = target, regular\n",
		"TestFilesMadeAfterTheCheckAreKept", "",
	},
	{
		"a growing output replaces nothing before its first bytes are safe", "cmd/ulogkit/internal/files/output.go",
		"\tif err := first(f); err != nil {\n\t\tf.Abort()\n\t\treturn nil, o.failure(err)\n\t}\n\n\tif err := f.Appear(); err != nil {\n\t\treturn nil, o.failure(err)\n\t}\n",
		"\tif err := f.Appear(); err != nil {\n\t\treturn nil, o.failure(err)\n\t}\n\tif err := first(f); err != nil {\n\t\tf.Abort()\n\t\treturn nil, o.failure(err)\n\t}\n",
		"TestGrowKeepsTheOldFileUntilSafe", "",
	},
	{
		"a damaged record is kept aside before it is removed", "mqttv5/outbox/file.go",
		"\t\tif err := damaged.Put(b.key, b.value); err != nil {\n\t\t\treturn err\n\t\t}\n", "",
		"TestF19BitFlips", "",
	},
	{
		"a token file is locked while it is changed", "mqttv5/tokens/file.go",
		"\tdefer lock.Unlock()\n\treturn f()\n", "\tlock.Unlock()\n\treturn f()\n",
		"TestF20TokenFile", "",
	},
	{
		"a record is removed after its acknowledgement", "mqttv5/deliver.go",
		"\tw.inFlight.Add(1)\n\tw.count.Add(1)\n", "\tw.inFlight.Add(1)\n\tw.count.Add(1)\n\tx.Done()\n",
		"TestF02AckLost", "",
	},
}
