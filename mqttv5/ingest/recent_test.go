package ingest

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The ring and its table do what a map and a list do.
func TestRecentForgetsOnlyWhatLeavesItsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 9).Draw(t, "size")
		age := time.Duration(rapid.IntRange(0, 5).Draw(t, "age")) * time.Second
		r := newRecent(size, age)
		type item struct {
			key Key
			at  time.Time
		}

		var model []item
		now := time.Unix(1000, 0)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 9).Draw(t, "forget") == 0 {
				n := rapid.IntRange(0, 4).Draw(t, "n")
				r.forget(r.mark() - min(uint64(n), r.mark()))
				model = model[:max(0, len(model)-n)]
				continue
			}

			var key Key
			// Few homes, so that searches run into each other.
			binary.LittleEndian.PutUint32(key[:], uint32(rapid.IntRange(12, 17).Draw(t, "home")))
			key[9] = byte(rapid.IntRange(0, 2).Draw(t, "key"))
			for age > 0 && len(model) > 0 && now.Sub(model[0].at) > age {
				model = model[1:]
			}
			fresh := true
			for _, m := range model {
				fresh = fresh && m.key != key
			}

			if fresh {
				model = append(model, item{key, now})
				model = model[max(0, len(model)-size):]
			}

			if got := r.add(key, now); got != fresh {
				t.Fatalf("add reports %v, want %v", got, fresh)
			}
		}
	})
}
