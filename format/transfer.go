package format

// ChunkStatus tells what a [Transfer] made of a chunk.
type ChunkStatus uint8

const (
	// ChunkAccepted means that the chunk continued the transfer.
	ChunkAccepted ChunkStatus = iota + 1
	// ChunkStarted means that the chunk began a transfer, after giving up the
	// one under way if there was one.
	ChunkStarted
	// ChunkCompleted means that the chunk was the last of its transfer.
	ChunkCompleted
	// ChunkDuplicate means that the chunk lies before what is expected next, or
	// that the transfer is complete.
	ChunkDuplicate
	// ChunkOutOfOrder means that the chunk does not begin where the next one is
	// expected.
	ChunkOutOfOrder
	// ChunkWrongTotal means that the chunk announces another total length than
	// the transfer under way.
	ChunkWrongTotal
	// ChunkOverrun means that the chunk reaches past the total length.
	ChunkOverrun
)

// String returns the status in words.
func (s ChunkStatus) String() string {
	switch s {
	case ChunkAccepted:
		return "accepted"
	case ChunkStarted:
		return "started"
	case ChunkCompleted:
		return "completed"
	case ChunkDuplicate:
		return "duplicate"
	case ChunkOutOfOrder:
		return "out of order"
	case ChunkWrongTotal:
		return "wrong total"
	case ChunkOverrun:
		return "overrun"
	}
	return "unknown"
}

// Transfer joins the chunks of a log or crash dump on its way from the device.
// Chunks that do not continue it are ignored; the answer to every chunk, good
// or not, is a [ChunkAck] with the offset that Next returns. Use one Transfer
// for each BLE characteristic. The zero Transfer is ready for use.
//
// A chunk at offset 0 always begins anew: the device has restarted, and the
// bytes of two transfers must never mix. Where it repeats the first chunk
// because its answer was lost, that comes to the same.
//
// A Transfer holds no more than the 65,535 bytes of the longest transfer, and
// no more than came.
//
// Source: FORMAT section 4.
type Transfer struct {
	data  []byte
	total int
}

// Next returns the offset that the next chunk is expected at: the next_offset
// of the answer. It stays at the end of a completed transfer until another one
// begins.
func (t *Transfer) Next() uint16 { return uint16(len(t.data)) }

// Reset gives up the transfer under way, so that Next returns 0 and the device
// is asked to begin again.
func (t *Transfer) Reset() { t.data, t.total = t.data[:0], 0 }

// Add takes a chunk. With [ChunkCompleted] it returns the whole transfer, which
// is valid until the next one begins.
func (t *Transfer) Add(c Chunk) (status ChunkStatus, whole []byte) {
	offset, total := int(c.Offset), int(c.LenTotal)
	switch {
	case offset+len(c.Data) > total:
		return ChunkOverrun, nil
	case offset == 0:
		t.data, t.total = append(t.data[:0], c.Data...), total
		status = ChunkStarted
	case total != t.total:
		return ChunkWrongTotal, nil
	case offset < len(t.data) || len(t.data) == total: // an empty chunk must not complete it again
		return ChunkDuplicate, nil
	case offset > len(t.data):
		return ChunkOutOfOrder, nil
	default:
		t.data = append(t.data, c.Data...)
		status = ChunkAccepted
	}

	if len(t.data) == total {
		return ChunkCompleted, t.data
	}
	return status, nil
}
