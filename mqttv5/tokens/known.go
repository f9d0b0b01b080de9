package tokens

import "iter"

// Known yields the devices of a token file, the one that was used last first, and none
// if it cannot be read. It neither waits for the file's lock nor changes it. An empty
// path is the default of [Config]. In the file of the vendor's library a device is a
// serial number and a git hash.
func Known(path string) iter.Seq[Key] {
	return func(yield func(Key) bool) {
		path, err := defaultPath(path)
		if err != nil {
			return
		}
		if list, ok := readForeign(path); ok {
			for _, m := range list {
				if _, gitHash, ok := m.token(); ok && !yield(Key{DeviceSerial: m.name, GitHash: gitHash}) {
					return
				}
			}
			return
		}

		list, _, err := read(path, 0)
		if err != nil {
			return
		}

		for e := list.order.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*entry).key) {
				return
			}
		}
	}
}
