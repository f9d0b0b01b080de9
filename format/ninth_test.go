package format

import "testing"

// A device records eight arguments and no more, so that nine are damage: after a lost
// byte they would be read out of the bytes of others.
func TestNineArgumentsAreNoFrame(t *testing.T) {
	layout := &logFrames[1]
	frame := func(args []Arg, numArgs, numStrings int) []byte {
		payload, err := (&Record{FmtAddr: 0x8000}).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		payload[PayloadHeaderSize-1] = byte(numArgs)
		for range numArgs {
			payload = append(payload, args[0].packed)
		}
		for range numArgs {
			payload = append(payload, args[0].value()...)
		}

		if numStrings > 0 {
			var head StringSectionHeader
			head.SetNumStrings(uint16(numStrings))
			head.SetLenBlob(uint16(3 * numStrings))
			payload = append(payload, head[:]...)
			for range numStrings {
				payload = append(payload, 1, 0, 'x')
			}
		}

		var head logFrameHeaderV3
		head.SetLenPayload(uint16(len(payload)))
		return append(head[:], payload...)
	}

	valid := addrCheck(nil)
	for name, c := range map[string]struct {
		arg           Arg
		args, strings int
		want          bool
	}{
		"8 integers": {ArgI32(7), 8, 0, true},
		"9 integers": {ArgI32(7), 9, 0, false},
		"8 strings":  {ArgString("x"), 8, 8, true},
		"9 strings":  {ArgString("x"), 8, 9, false},
	} {
		b := frame([]Arg{c.arg}, c.args, c.strings)
		if _, n := valid.plausible(b, layout); (n == len(b)) != c.want || !c.want && n != 0 {
			t.Errorf("%s: got a frame of %d bytes of %d, want one: %v", name, n, len(b), c.want)
		}
	}
}
