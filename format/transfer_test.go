package format

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestTransferAnswersEachChunk(t *testing.T) {
	type step struct {
		offset, total uint16
		data          string
		status        ChunkStatus
		next          uint16
		whole         string
	}

	for name, steps := range map[string][]step{
		"in order": {
			{0, 6, "ab", ChunkStarted, 2, ""},
			{2, 6, "cd", ChunkAccepted, 4, ""},
			{4, 6, "ef", ChunkCompleted, 6, "abcdef"},
		},
		"one chunk": {{0, 3, "abc", ChunkCompleted, 3, "abc"}},
		"duplicates": {
			{0, 6, "ab", ChunkStarted, 2, ""},
			{0, 6, "ab", ChunkStarted, 2, ""},
			{2, 6, "cd", ChunkAccepted, 4, ""},
			{2, 6, "cd", ChunkDuplicate, 4, ""},
			{4, 6, "ef", ChunkCompleted, 6, "abcdef"},
			{4, 6, "ef", ChunkDuplicate, 6, ""},
		},
		"out of order": {
			{2, 6, "cd", ChunkWrongTotal, 0, ""},
			{0, 6, "ab", ChunkStarted, 2, ""},
			{4, 6, "ef", ChunkOutOfOrder, 2, ""},
			{2, 6, "cd", ChunkAccepted, 4, ""},
			{4, 6, "ef", ChunkCompleted, 6, "abcdef"},
		},
		"wrong total": {
			{0, 6, "ab", ChunkStarted, 2, ""},
			{2, 7, "cd", ChunkWrongTotal, 2, ""},
			{2, 6, "cdef", ChunkCompleted, 6, "abcdef"},
		},
		"overrun": {
			{0, 1, "ab", ChunkOverrun, 0, ""},
			{0, 3, "ab", ChunkStarted, 2, ""},
			{2, 3, "cd", ChunkOverrun, 2, ""},
			{2, 3, "c", ChunkCompleted, 3, "abc"},
		},
		"restart": {
			{0, 6, "ab", ChunkStarted, 2, ""},
			{2, 6, "cd", ChunkAccepted, 4, ""},
			{0, 4, "xy", ChunkStarted, 2, ""},
			{4, 6, "ef", ChunkWrongTotal, 2, ""},
			{2, 4, "zw", ChunkCompleted, 4, "xyzw"},
			{0, 2, "ab", ChunkCompleted, 2, "ab"},
		},
		"empty chunks": {
			{0, 2, "", ChunkStarted, 0, ""},
			{0, 2, "ab", ChunkCompleted, 2, "ab"},
			{2, 2, "", ChunkDuplicate, 2, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var transfer Transfer
			for i, s := range steps {
				status, whole := transfer.Add(Chunk{Offset: s.offset, LenTotal: s.total, Data: []byte(s.data)})
				if status != s.status || transfer.Next() != s.next || string(whole) != s.whole {
					t.Errorf("step %d: %v, next %d, %q; want %v, %d, %q", i, status, transfer.Next(), whole, s.status, s.next, s.whole)
				}
			}
		})
	}
}

// The longest transfer arrives whole over a link that repeats and loses chunks
// and answers, the device following the answers.
func TestTransferSurvivesLossAndRepetition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sent := make([]byte, 65535)
	for i := range sent {
		sent[i] = byte(rng.Uint32())
	}
	var transfer Transfer
	var got []byte
	next := 0
	for steps := 0; got == nil; steps++ {
		if steps > 100000 {
			t.Fatalf("got no whole transfer after %d chunks, next is %d, want one by then", steps, transfer.Next())
		}
		chunk := Chunk{Offset: uint16(next), LenTotal: uint16(len(sent)), Data: sent[next:min(next+16, len(sent))]}
		b, err := chunk.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}

		for range rng.IntN(3) { // lost, once, twice
			c, _, err := ParseChunk(b)
			if err != nil {
				t.Fatal(err)
			}
			if _, whole := transfer.Add(c); whole != nil {
				got = bytes.Clone(whole)
			}
		}

		if rng.IntN(3) > 0 { // the answer arrives
			var ack ChunkAck
			ack.SetNextOffset(transfer.Next())
			next = int(ack.NextOffset())
		}
	}

	if !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes, want the %d that were sent", len(got), len(sent))
	}
	transfer.Reset()
	if transfer.Next() != 0 {
		t.Errorf("after Reset: got next %d, want 0", transfer.Next())
	}
}

func TestChunkWithoutTotalIsRefused(t *testing.T) {
	if _, _, err := ParseChunk([]byte{0, 0, 0, 0, 1}); !errors.Is(err, ErrValue) {
		t.Errorf("a transfer of 0 bytes: error %v, want ErrValue", err)
	}
}
