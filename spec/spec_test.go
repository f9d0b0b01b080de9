package spec

import "testing"

func TestSource(t *testing.T) {
	s, err := Parse(SourceName, Source)
	if err != nil {
		t.Fatal(err)
	}
	for _, ty := range s.Types {
		t.Log(ty.ID, ty.Size, ty.MinSize, ty.Greedy)
	}
}
