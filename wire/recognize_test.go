package wire

import (
	"encoding/binary"
	"testing"
)

func TestRecognizesCaptureFiles(t *testing.T) {
	for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if b := order.AppendUint32(nil, magic); !Recognize(b) || Recognize(b[:3]) {
				t.Errorf("% x: got %v, and %v of three bytes, want true and false", b, Recognize(b), Recognize(b[:3]))
			}
		}
	}
	if !Recognize([]byte("\n\r\r\n")) {
		t.Error("got no capture file by pcapng's first block, want one")
	}
	for _, text := range []string{"", "\x7fELF", "\x03\x00\x00\x00", "snoop\x00\x00\x00"} {
		if Recognize([]byte(text)) {
			t.Errorf("%q: got a capture file, want none", text)
		}
	}
}
